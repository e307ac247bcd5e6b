package csv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// peekSize is how much of the file is looked at to tell its form.
const peekSize = 64 << 10

// maxRecord is the longest row, in bytes. A longer one is a quotation mark that
// was never closed.
const maxRecord = 1 << 20

// decode finds out the encoding, the line ends and the delimiter. It gives a
// UTF-8 reader after any "sep=" line, and how many lines it skipped.
func decode(r io.Reader) (text *bufio.Reader, comma rune, skipped int, err error) {
	raw := bufio.NewReaderSize(r, peekSize)
	head, err := raw.Peek(4)
	if err != nil && err != io.EOF {
		return nil, 0, 0, fmt.Errorf("read the staff list: %w", err)
	}
	var in io.Reader = raw
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xFE, 0xFF}):
		return nil, 0, 0, errors.New("the staff list is in UTF-32: save it as CSV UTF-8")
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		if _, err := raw.Discard(3); err != nil {
			return nil, 0, 0, fmt.Errorf("read the staff list: %w", err)
		}
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		in = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(raw)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, 0, 0, errors.New("the staff list is a workbook or an archive, not text: save it as CSV UTF-8")
	case bytes.IndexByte(head, 0) >= 0:
		return nil, 0, 0, errors.New("the staff list is not text, or is UTF-16 without its mark: save it as CSV UTF-8")
	}
	text = bufio.NewReaderSize(in, peekSize)
	head, err = text.Peek(peekSize)
	if err != nil && err != io.EOF {
		return nil, 0, 0, fmt.Errorf("read the staff list: %w", err)
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		text = bufio.NewReaderSize(&crReader{text}, peekSize)
		if head, err = text.Peek(peekSize); err != nil && err != io.EOF {
			return nil, 0, 0, fmt.Errorf("read the staff list: %w", err)
		}
	}
	line := firstLine(head)
	if sep, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r\n"), "sep="); ok && len(sep) == 1 {
		if _, err := text.Discard(len(line)); err != nil {
			return nil, 0, 0, fmt.Errorf("read the staff list: %w", err)
		}
		if sep != "," && sep != ";" && sep != "\t" {
			return nil, 0, 0, fmt.Errorf("the staff list is separated by %q: save it with commas, semicolons or tabs", sep)
		}
		return text, rune(sep[0]), 1, nil
	}
	return text, delimiter(line), 0, nil
}

// firstLine is the first line of head that is not empty, with those before it.
func firstLine(head []byte) []byte {
	for end := 0; ; {
		i := bytes.IndexByte(head[end:], '\n')
		if i < 0 {
			return head
		}
		if end += i + 1; len(bytes.TrimSpace(head[:end])) > 0 {
			return head[:end]
		}
	}
}

// delimiter is the separator that a header line has most of outside quotes.
func delimiter(line []byte) rune {
	count := map[byte]int{}
	quoted := false
	for _, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case !quoted:
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return rune(best)
}

// crReader turns each CR into LF, for files whose lines end in CR alone.
type crReader struct{ r io.Reader }

func (c *crReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i := range p[:n] {
		if p[i] == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// errTooLong ends reading: there is no telling where the next row begins.
var errTooLong = errors.New("row too long")

// guard bounds how much is read for one row.
type guard struct {
	r    io.Reader
	left int
}

func (g *guard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errTooLong
	}
	n, err := g.r.Read(p)
	g.left -= n
	return n, err
}
