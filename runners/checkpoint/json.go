package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// jsonReader reads JSON token by token, so that a key standing twice, which encoding/json's
// Unmarshal lets pass, is refused. Make it with newJSON; use it from one goroutine.
//
// Note: the duplicate matters here. Two readers that disagree about which of two keys counts see
// two models in one file.
type jsonReader struct{ dec *json.Decoder }

func newJSON(text []byte) (jsonReader, error) {
	if !utf8.Valid(text) {
		return jsonReader{}, errors.New("not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return jsonReader{dec}, nil
}

func (j jsonReader) token() (json.Token, error) {
	t, err := j.dec.Token()
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("ends early")
	}
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", j.dec.InputOffset(), err)
	}
	return t, nil
}

func (j jsonReader) delim(want json.Delim) error {
	t, err := j.token()
	if err == nil && t != want {
		err = fmt.Errorf("byte %d: %v instead of %v", j.dec.InputOffset(), t, want)
	}
	return err
}

// maxKeys bounds the keys of one object.
const maxKeys = maxTensors + 1

// object calls visit after each key; visit reads the value.
func (j jsonReader) object(visit func(key string) error) error {
	if err := j.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for j.dec.More() {
		key, err := j.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %q stands twice", key)
		}
		if len(seen) == maxKeys {
			return fmt.Errorf("more than %d keys in an object", maxKeys)
		}
		seen[key] = true
		if err := visit(key); err != nil {
			return err
		}
	}
	return j.delim('}')
}

// array calls visit before each value, at most limit times; visit reads the value.
func (j jsonReader) array(limit int, visit func() error) error {
	if err := j.delim('['); err != nil {
		return err
	}
	for n := 0; j.dec.More(); n++ {
		if n == limit {
			return fmt.Errorf("more than %d values in a list", limit)
		}
		if err := visit(); err != nil {
			return err
		}
	}
	return j.delim(']')
}

func (j jsonReader) text() (string, error) {
	t, err := j.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("byte %d: %v is not a string", j.dec.InputOffset(), t)
	}
	return s, nil
}

// integer reads a whole number that is not negative, written without fraction or exponent.
func (j jsonReader) integer() (int, error) {
	t, err := j.token()
	if err != nil {
		return 0, err
	}
	n, ok := t.(json.Number)
	if !ok {
		return 0, fmt.Errorf("byte %d: %v is not a number", j.dec.InputOffset(), t)
	}
	i, err := strconv.ParseUint(n.String(), 10, strconv.IntSize-1)
	if err != nil {
		return 0, fmt.Errorf("%s is not a whole number in range", n)
	}
	return int(i), nil
}

// maxNesting bounds what scalar skips.
const maxNesting = 64

// scalar reads any value: its text for a string, number or boolean, or false for what has no short text.
func (j jsonReader) scalar() (string, bool, error) {
	depth := 0
	for {
		t, err := j.token()
		if err != nil {
			return "", false, err
		}
		switch d, _ := t.(json.Delim); d {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > maxNesting {
			return "", false, fmt.Errorf("nested deeper than %d", maxNesting)
		}
		if depth > 0 {
			continue
		}
		switch t := t.(type) {
		case string:
			return t, true, nil
		case json.Number, bool:
			return fmt.Sprint(t), true, nil
		}
		return "", false, nil
	}
}

// end refuses anything but white space after the last value.
func (j jsonReader) end() error {
	if _, err := j.dec.Token(); err != io.EOF {
		return fmt.Errorf("byte %d: text after the end", j.dec.InputOffset())
	}
	return nil
}
