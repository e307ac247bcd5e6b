package store

import (
	"bytes"
	"strconv"
	"strings"
)

// A column is a column of a table whose rows are a struct here: its name, and
// where its value stands in the struct. One of num, text and blob is set.
//
// A list of columns is all that the statements of both databases know of such
// a table. To add a column: a migration, a field, a line in the list.
type column[T any] struct {
	name string
	num  func(*T) *int64
	text func(*T) *string
	blob func(*T) *[]byte
}

type columns[T any] []column[T]

// names lists the columns, each after prefix, as a statement has them.
func (cs columns[T]) names(prefix string) string {
	var b strings.Builder
	for i, c := range cs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(c.name)
	}
	return b.String()
}

// only gives the columns with these names, in the order of the names.
func (cs columns[T]) only(names ...string) columns[T] {
	var some columns[T]
	for _, name := range names {
		for _, c := range cs {
			if c.name == name {
				some = append(some, c)
			}
		}
	}
	if len(some) != len(names) {
		panic("store: a column of " + strings.Join(names, ", ") + " is not in the list")
	}
	return some
}

// params are the places of the columns' values, beginning with $from.
func (cs columns[T]) params(from int) string {
	var b strings.Builder
	for i := range cs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}

// sets assigns to each column its place, beginning with $from.
func (cs columns[T]) sets(from int) string {
	var b strings.Builder
	for i, c := range cs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.name + " = $" + strconv.Itoa(from+i))
	}
	return b.String()
}

// froms assigns to each column the column of the same name after prefix.
func (cs columns[T]) froms(prefix string) string {
	var b strings.Builder
	for i, c := range cs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.name + " = " + prefix + c.name)
	}
	return b.String()
}

// args appends the values of v.
func (cs columns[T]) args(dst []any, v *T) []any {
	for i := range cs {
		switch c := &cs[i]; {
		case c.num != nil:
			dst = append(dst, *c.num(v))
		case c.text != nil:
			dst = append(dst, *c.text(v))
		default:
			dst = append(dst, *c.blob(v))
		}
	}
	return dst
}

// scan reads the columns into v; the first is column from of r.
func (cs columns[T]) scan(r row, from int, v *T) {
	for i := range cs {
		switch c := &cs[i]; {
		case c.num != nil:
			*c.num(v) = r.int(from + i)
		case c.text != nil:
			*c.text(v) = r.text(from + i)
		default:
			*c.blob(v) = r.blob(from + i)
		}
	}
}

// unnest is a PostgreSQL table of rows that come as one array a column,
// beginning with $from; arrays gives these.
func (cs columns[T]) unnest(from int, alias string) string {
	var b strings.Builder
	b.WriteString("unnest(")
	for i, c := range cs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(from+i))
		switch {
		case c.num != nil:
			b.WriteString("::bigint[]")
		case c.text != nil:
			b.WriteString("::text[]")
		default:
			b.WriteString("::bytea[]")
		}
	}
	b.WriteString(") " + alias + "(" + cs.names("") + ")")
	return b.String()
}

// arrays gives the values of many rows, one array a column.
func (cs columns[T]) arrays(dst []any, vs []T) []any {
	for i := range cs {
		switch c := &cs[i]; {
		case c.num != nil:
			a := make([]int64, len(vs))
			for k := range vs {
				a[k] = *c.num(&vs[k])
			}
			dst = append(dst, a)
		case c.text != nil:
			a := make([]string, len(vs))
			for k := range vs {
				a[k] = *c.text(&vs[k])
			}
			dst = append(dst, a)
		default:
			a := make([][]byte, len(vs))
			for k := range vs {
				a[k] = *c.blob(&vs[k])
			}
			dst = append(dst, a)
		}
	}
	return dst
}

// same reports whether two values have the same in all columns.
func (cs columns[T]) same(a, b *T) bool {
	for _, c := range cs {
		switch {
		case c.num != nil && *c.num(a) != *c.num(b), c.text != nil && *c.text(a) != *c.text(b), c.blob != nil && !bytes.Equal(*c.blob(a), *c.blob(b)):
			return false
		}
	}
	return true
}
