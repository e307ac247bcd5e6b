package csv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// peekSize is how much of the file is looked at to tell its form.
const peekSize = 64 << 10

// maxRecord is the longest row, in bytes. A longer one is a quotation mark that
// was never closed.
const maxRecord = 1 << 20

// A form is what a file turned out to be.
type form struct {
	text     *bufio.Reader    // from the header on; UTF-8, or bytes of an old encoding in cells
	old      *charmap.Charmap // that encoding, where there may be one
	name     string           // of the encoding
	comma    rune             // what stands between cells
	skipped  int              // lines before the header
	template bool             // one of Microsoft's templates: it begins with an example
}

// decode finds out the encoding, the line ends and the delimiter, and skips what
// tools write above the header.
func decode(r io.Reader) (f form, err error) {
	raw := bufio.NewReaderSize(r, peekSize)
	head, err := raw.Peek(peekSize)
	if err != nil && err != io.EOF {
		return f, fmt.Errorf("read the staff list: %w", err)
	}
	if what := notText(head); what != "" {
		return f, fmt.Errorf("the staff list is %s", what)
	}
	var in io.Reader = raw
	f.name, f.old = "UTF-8", charmap.Windows1252
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xFE, 0xFF}):
		return f, errors.New("the staff list is in UTF-32: save it as CSV UTF-8")
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		f.old = nil
		if _, err := raw.Discard(3); err != nil {
			return f, fmt.Errorf("read the staff list: %w", err)
		}
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}), bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		f.old, f.name = nil, "UTF-16"
		in = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(raw)
	case bytes.IndexByte(head[:min(4, len(head))], 0) >= 0:
		return f, errors.New("the staff list is not text, or is UTF-16 without its mark: save it as CSV UTF-8")
	}
	f.text = bufio.NewReaderSize(in, peekSize)
	head, err = f.text.Peek(peekSize)
	if err != nil && err != io.EOF {
		return f, fmt.Errorf("read the staff list: %w", err)
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		f.text = bufio.NewReaderSize(&crReader{f.text}, peekSize)
		if f.old != nil { // as "CSV (Macintosh)" has both
			f.old = charmap.Macintosh
		}
	}
	return f, f.preamble()
}

// preamble skips the lines above the header: "sep=;" of Excel, "#TYPE ..." of
// PowerShell 5.1, "version:v1.0" of Microsoft's templates, lines without a cell.
func (f *form) preamble() error {
	sep := ""
	for {
		head, err := f.text.Peek(peekSize)
		if err != nil && err != io.EOF {
			return fmt.Errorf("read the staff list: %w", err)
		}
		line := firstLine(head)
		word := strings.ToLower(strings.Trim(string(line), "\"\r\n,; "))
		switch {
		case strings.HasPrefix(word, "sep=") && len(word) <= 5:
			sep, _, _ = strings.Cut(strings.TrimLeft(string(line), "\"\r\n "), "\n")
			sep = strings.Trim(sep[len("sep="):], "\"\r")
			sep = sep[:min(1, len(sep))]
			if sep != "" && sep != "," && sep != ";" && sep != "\t" {
				return fmt.Errorf("the staff list is separated by %q: save it with commas, semicolons or tabs", sep)
			}
		case strings.HasPrefix(word, "#type "):
		case strings.HasPrefix(word, "version:"):
			f.template = true
		case len(line) > 0 && strings.Trim(word, "\t") == "" && len(line) < len(head):
		default:
			f.comma = delimiter(line)
			if sep != "" {
				f.comma = rune(sep[0])
			}
			return nil
		}
		f.skipped += bytes.Count(line, []byte("\n"))
		if _, err := f.text.Discard(len(line)); err != nil {
			return fmt.Errorf("read the staff list: %w", err)
		}
	}
}

// csvUTF8 is how a spreadsheet makes a list that can be read.
const csvUTF8 = `open it and save it as CSV UTF-8 (Excel: File, Save As, "CSV UTF-8 (Comma delimited) (*.csv)"; Google Sheets: File, Download, "Comma Separated Values"; ` +
	`LibreOffice: File, Save As, "Text CSV"; Numbers: File, Export To, CSV), then import that file`

// notText names a file that is no text of rows and says what to do, or gives "".
func notText(head []byte) string {
	has := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	within := func(s string) bool { return bytes.Contains(head, []byte(s)) }
	lower := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head[:min(512, len(head))], []byte("\xef\xbb\xbf")), " \t\r\n"))
	begins := func(s string) bool { return bytes.HasPrefix(lower, []byte(s)) }
	switch {
	case has("PK\x03\x04") && within("opendocument.spreadsheet"):
		return "a LibreOffice or OpenOffice spreadsheet (.ods), not CSV: " + csvUTF8
	case has("PK\x03\x04") && (within("Index/") && within(".iwa") || within("index.apxl")):
		return "an Apple Numbers file (.numbers), not CSV: " + csvUTF8
	case has("PK\x03\x04") && (within("xl/") || within("[Content_Types].xml") && !within("word/") && !within("ppt/")):
		return "an Excel workbook (.xlsx), not CSV: " + csvUTF8
	case has("PK\x03\x04") && (within("word/") || within("ppt/")):
		return "a Word or PowerPoint document, not CSV: export the staff as CSV UTF-8 from your directory or personnel system"
	case has("PK\x03\x04"), has("PK\x05\x06"):
		return "a ZIP archive or a workbook, not CSV: unpack it and import the .csv file in it; if it is a workbook, " + csvUTF8
	case has("\xd0\xcf\x11\xe0"):
		return "an old Excel workbook (.xls), not CSV: " + csvUTF8
	case has("%PDF"):
		return "a PDF, not CSV: a PDF cannot be read; export the staff as CSV UTF-8 from your directory or personnel system"
	case has("\x1f\x8b"), has("7z\xbc\xaf"), has("Rar!"), has("BZh"), has("\xfd7zXZ"):
		return "a packed file, not CSV: unpack it and import the .csv file in it"
	case begins("<!doctype html"), begins("<html"), begins("<table"), begins("<meta"):
		return "a web page, not CSV (some systems call it .xls): " + csvUTF8
	case begins("<?xml"):
		return "XML, not CSV: if a spreadsheet opens it, " + csvUTF8
	case begins("{\\rtf"):
		return "a text document (RTF), not CSV: " + csvUTF8
	case begins("{"), begins("[{"), begins("[\n"), begins("[ "):
		return "JSON, not CSV: export the staff as CSV UTF-8"
	case begins("dn: "), begins("version: 1\n"), begins("version: 1\r"):
		return "LDIF, not CSV: export with `csvde -u` or `Get-ADUser -Filter * -Properties mail,title,department | Export-Csv -Encoding UTF8 staff.csv`"
	}
	return ""
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
