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
// beginning with $from; arrays gives these. An empty array is a column of zeros
// or empty texts.
func (cs columns[T]) unnest(from int, alias string) string {
	var values, arrays strings.Builder
	for i, c := range cs {
		if i > 0 {
			values.WriteString(", ")
			arrays.WriteString(", ")
		}
		arrays.WriteString("$" + strconv.Itoa(from+i))
		switch {
		case c.num != nil:
			values.WriteString("coalesce(" + c.name + ", 0) AS " + c.name)
			arrays.WriteString("::bigint[]")
		case c.text != nil:
			values.WriteString("coalesce(" + c.name + ", '') AS " + c.name)
			arrays.WriteString("::text[]")
		default:
			values.WriteString(c.name)
			arrays.WriteString("::bytea[]")
		}
	}
	return "(SELECT " + values.String() + " FROM unnest(" + arrays.String() + ") v(" + cs.names("") + ")) " + alias
}

// arrays gives the values of many rows, one array a column: none of them may
// have nothing but zeros and empty texts.
func (cs columns[T]) arrays(dst []any, vs []T) []any {
	for i := range cs {
		switch c := &cs[i]; {
		case c.num != nil:
			dst = append(dst, arrayOf(vs, c.num, func(v int64) bool { return v == 0 }))
		case c.text != nil:
			dst = append(dst, arrayOf(vs, c.text, func(v string) bool { return v == "" }))
		default:
			dst = append(dst, arrayOf(vs, c.blob, func(v []byte) bool { return v == nil }))
		}
	}
	return dst
}

// arrayOf is one column of many rows, and empty where all of it is.
func arrayOf[T, V any](vs []T, of func(*T) *V, none func(V) bool) []V {
	for k := range vs {
		if !none(*of(&vs[k])) {
			a := make([]V, len(vs))
			for k := range vs {
				a[k] = *of(&vs[k])
			}
			return a
		}
	}
	return []V{}
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
