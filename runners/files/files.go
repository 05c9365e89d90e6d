// Package files answers: how is a file of unknown origin read without waiting for ever and without filling memory?
package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open opens a regular file; anything else could block for ever, as a named pipe does.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	return os.Open(path)
}

// Read is the whole of a regular file of at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes, too large for what it should be", path, limit)
	}
	return data, nil
}

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// ReadConfig is the text of a configuration file, without a byte-order mark.
func ReadConfig(path string) ([]byte, error) {
	data, err := Read(path, maxConfig)
	return bytes.TrimPrefix(data, []byte("\ufeff")), err
}

// ReadJSON reads a configuration file into v, if there is one.
func ReadJSON(path string, v any) (found bool, err error) {
	data, err := ReadConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}
