// Package files answers: what is in a file that nobody vouches for? It reads regular files alone, as a named pipe would
// block for ever, and no more of them than a limit.
package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Limits on pictures and label maps, checked before anything is decoded.
const (
	MaxPixels = 1 << 26   // width x height: 8192 x 8192, of which explain takes 2.6 GB
	MaxSide   = 1 << 16   // of width and height: resizing longer ones takes more memory than the picture
	MaxBytes  = 256 << 20 // of the file
)

// ErrTruncated is a picture of which the end is missing.
var ErrTruncated = errors.New("truncated: the file ends before the picture does; download it again")

// Open opens a regular file and says how long it is.
func Open(name string) (f *os.File, size int64, err error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file", name)
	}
	f, err = os.Open(name)
	return f, st.Size(), err
}

// OpenBounded opens a regular file of at most limit bytes. Reading it ends there too, should it grow.
func OpenBounded(name string, limit int64) (io.ReadCloser, error) {
	f, size, err := Open(name)
	if err != nil {
		return nil, err
	}
	if size > limit {
		f.Close()
		return nil, fmt.Errorf("%s: larger than the limit of %d MiB", name, limit>>20)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, limit), f}, nil
}

// Read reads a regular file of at most limit bytes.
func Read(name string, limit int64) ([]byte, error) {
	f, size, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s: larger than the limit of %d MiB", name, limit>>20)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// maxText bounds list and class-name files, which are read whole.
const maxText = 16 << 20

// Lines reads a text file in UTF-8, or in UTF-16 with its byte-order mark as Windows writes it. The mark, ends of lines
// of any system and outer blanks are trimmed. Empty lines stay, so that index i is line i+1 of the file.
func Lines(name string) ([]string, error) {
	data, err := Read(name, maxText)
	if err != nil {
		return nil, err
	}
	text, err := decodeText(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return lines, nil
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func decodeText(data []byte) (string, error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	switch {
	case err != nil:
		return "", err
	case bytes.IndexByte(text, 0) >= 0:
		return "", errors.New("not a text, or UTF-16 without its byte-order mark; save it as UTF-8")
	case !utf8.Valid(text):
		return "", errors.New("not UTF-8 text, but likely an older encoding such as Latin-1; save it as UTF-8")
	}
	return lineEnds.Replace(string(text)), nil
}

// Explain turns the error of a picture's decoder into one that says what is wrong with the file.
func Explain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || err != nil &&
		strings.HasPrefix(err.Error(), "riff: short") {
		return ErrTruncated
	}
	return err
}
