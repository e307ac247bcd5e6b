package command

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"latchkey/cmd/latchkey/textfmt"
)

// notWritten says of a file which one could not be written, why, and what to do:
// the temporary name that it had meanwhile helps nobody. other is what to choose
// instead, "another file with --page".
func notWritten(path string, err error, other string) error {
	cause := err
	var at *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at):
		cause = at.Err
	case errors.As(err, &link):
		cause = link.Err
	}
	fix := "choose " + other
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		fix = "make room there, or " + fix
	}
	return fmt.Errorf("%s cannot be written: %w; %s", textfmt.Printable(path), cause, fix)
}
