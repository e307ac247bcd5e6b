package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
)

// streamMark begins a sealed stream, so that a file can be told from others.
const streamMark = "latchkey sealed 1\n"

// maxStreamKey is far more than a stream's sealed key takes.
const maxStreamKey = 4 << 10

// ErrNotSealed is wrapped by OpenStream when what is read is no sealed stream.
var ErrNotSealed = errors.New("not a sealed file of Latchkey")

// SealStream encrypts what is written to it, of any length, to w, and binds it
// to place. Only Close makes the stream whole. Each stream has a key of its own
// (AES-256-GCM with HKDF in segments of 1 MiB, Tink's streaming AEAD), which the
// ring seals in the stream's head: mark, length of the sealed key in two bytes,
// sealed key, segments.
func (r *Ring) SealStream(w io.Writer, place string) (io.WriteCloser, error) {
	key, err := keyset.NewHandle(streamingaead.AES256GCMHKDF1MBKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("key of a stream: %w", err)
	}
	var plain bytes.Buffer
	if err := insecurecleartextkeyset.Write(key, keyset.NewBinaryWriter(&plain)); err != nil {
		return nil, fmt.Errorf("key of a stream: %w", err)
	}
	sealed, err := r.Seal(plain.Bytes(), "stream|"+place)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint16([]byte(streamMark), uint16(len(sealed)))
	if _, err := w.Write(append(head, sealed...)); err != nil {
		return nil, err
	}
	cipher, err := streamingaead.New(key)
	if err != nil {
		return nil, fmt.Errorf("key of a stream: %w", err)
	}
	return cipher.NewEncryptingWriter(w, []byte(place))
}

// OpenStream decrypts what SealStream wrote for this place. Its error wraps
// ErrNotSealed, ErrUnknownKey or ErrSealed; a read fails when the stream was
// changed or cut from there on, so nothing is to be believed before io.EOF.
func (r *Ring) OpenStream(in io.Reader, place string) (io.Reader, error) {
	head := make([]byte, len(streamMark)+2)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(streamMark)]) != streamMark {
		return nil, ErrNotSealed
	}
	n := binary.BigEndian.Uint16(head[len(streamMark):])
	if n > maxStreamKey {
		return nil, ErrNotSealed
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(in, sealed); err != nil {
		return nil, fmt.Errorf("the head of the file is cut off: %w", ErrNotSealed)
	}
	plain, err := r.Open(sealed, "stream|"+place)
	if err != nil {
		return nil, err
	}
	key, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain)))
	if err != nil {
		return nil, fmt.Errorf("key of a stream: %w", err)
	}
	cipher, err := streamingaead.New(key)
	if err != nil {
		return nil, fmt.Errorf("key of a stream: %w", err)
	}
	return cipher.NewDecryptingReader(in, []byte(place))
}
