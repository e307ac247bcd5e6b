package csv

import "io"

// Text reads other CSV files of the same systems, such as a list of ids: it
// finds out the encoding, the line ends and the delimiter as Open does.
func Text(r io.Reader) (text io.Reader, comma rune, err error) {
	f, err := decode(r)
	if err != nil {
		return nil, 0, err
	}
	return f.text, f.comma, nil
}
