package datasets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// Bounds of a jsonScanner: how deep values nest, and the bytes of one number or of one string that is read.
const (
	jsonMaxDepth  = 64
	jsonMaxNumber = 512
	jsonMaxString = 4096
)

// jsonBuffer is how much of a file a jsonScanner holds.
const jsonBuffer = 1 << 18

// A jsonScanner walks through one JSON text of any size in bounded memory, accepts what encoding/json does within the
// bounds above, and knows the byte offset of every value. The tokens of encoding/json take more than ten times as long
// on COCO's files and are allocated one by one.
type jsonScanner struct {
	r     io.Reader
	buf   []byte // read and not yet consumed from p on
	p     int
	base  int64 // offset of buf[0]
	eof   error // what ended reading; nil before
	key   []byte
	depth int
}

func newJSONScanner(r io.Reader) *jsonScanner {
	return &jsonScanner{r: r, buf: make([]byte, 0, jsonBuffer)}
}

// offset is where the next byte lies in the text.
func (s *jsonScanner) offset() int64 { return s.base + int64(s.p) }

func (s *jsonScanner) errorf(format string, args ...any) error {
	if s.eof != nil && s.eof != io.EOF { // what there is of the text says little
		return s.eof
	}
	return fmt.Errorf("byte %d: %w", s.offset(), fmt.Errorf(format, args...))
}

// fill makes the next n bytes available, or all if the text ends before, and returns what there is. n is at most
// jsonBuffer.
func (s *jsonScanner) fill(n int) []byte {
	if len(s.buf)-s.p < n && s.eof == nil {
		s.base += int64(s.p)
		s.buf = s.buf[:copy(s.buf[:cap(s.buf)], s.buf[s.p:])]
		s.p = 0
		for len(s.buf) < n && s.eof == nil {
			var k int
			k, s.eof = s.r.Read(s.buf[len(s.buf):cap(s.buf)])
			s.buf = s.buf[:len(s.buf)+k]
		}
	}
	return s.buf[s.p:]
}

// next is the first byte of the next token, which stays; 0 at the end.
func (s *jsonScanner) next() byte {
	for {
		for ; s.p < len(s.buf); s.p++ {
			switch c := s.buf[s.p]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c
			}
		}
		if len(s.fill(1)) == 0 {
			return 0
		}
	}
}

// expect consumes the byte c, which must be the next token.
func (s *jsonScanner) expect(c byte) error {
	if got := s.next(); got != c {
		return s.unexpected(fmt.Sprintf("%q", c))
	}
	s.p++
	return nil
}

func (s *jsonScanner) unexpected(want string) error {
	if c := s.next(); c != 0 || s.p < len(s.buf) {
		return s.errorf("%q, want %s", c, want)
	}
	return s.errorf("the text ends, want %s", want)
}

// end checks that nothing follows.
func (s *jsonScanner) end() error {
	if s.next(); s.p < len(s.buf) {
		return s.unexpected("the end of the text")
	}
	if s.eof != io.EOF {
		return s.eof
	}
	return nil
}

// object calls visit for each key; visit consumes the value, which overwrites key.
func (s *jsonScanner) object(visit func(key []byte) error) error {
	return s.elements('{', '}', func() error {
		key, err := s.text()
		if err != nil {
			return err
		}
		s.key = append(s.key[:0], key...)
		if err := s.expect(':'); err != nil {
			return err
		}
		return visit(s.key)
	})
}

// array calls visit for each element; visit consumes it.
func (s *jsonScanner) array(visit func() error) error { return s.elements('[', ']', visit) }

func (s *jsonScanner) elements(open, shut byte, visit func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.depth++; s.depth > jsonMaxDepth {
		return s.errorf("values nest more than %d deep", jsonMaxDepth)
	}
	defer func() { s.depth-- }()
	if s.next() == shut {
		s.p++
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.p++
		case shut:
			s.p++
			return nil
		default:
			return s.unexpected(fmt.Sprintf("',' or %q", shut))
		}
	}
}

// integer reads a whole number.
func (s *jsonScanner) integer() (int64, error) {
	at := *s
	if c := s.next(); c != '-' && (c < '0' || c > '9') {
		return 0, s.unexpected("a number")
	}
	digits, err := s.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0, at.errorf("%s is not a whole number of 64 bits", digits)
	}
	return v, nil
}

// number consumes a number; the bytes are valid until the next call.
func (s *jsonScanner) number() ([]byte, error) {
	d := s.fill(jsonMaxNumber + 1)
	n := numberLength(d)
	if n == 0 || n > jsonMaxNumber {
		return nil, s.errorf("not a number of at most %d characters", jsonMaxNumber)
	}
	s.p += n
	return d[:n], nil
}

// numberLength is the length of the JSON number that d begins with, 0 if there is none.
func numberLength(d []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(d) && d[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if i < len(d) && d[i] == '-' {
		i++
	}
	if i < len(d) && d[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(d) && d[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// string reads a string of at most jsonMaxString bytes.
func (s *jsonScanner) string() (string, error) {
	text, err := s.text()
	return string(text), err
}

// text is string in bytes that are valid until the next call.
func (s *jsonScanner) text() ([]byte, error) {
	if s.next() != '"' {
		return nil, s.unexpected("a string")
	}
	d := s.fill(jsonMaxString)
	for i := 1; i < min(len(d), jsonMaxString); i++ {
		switch {
		case d[i] == '\\':
			i++
		case d[i] == '"':
			return s.unquote(d[:i+1])
		}
	}
	if len(d) < jsonMaxString {
		return nil, s.errorf("the text ends within a string")
	}
	return nil, s.errorf("a string that does not end within %d bytes", jsonMaxString)
}

// unquote consumes quoted, which begins with the next byte.
func (s *jsonScanner) unquote(quoted []byte) ([]byte, error) {
	if text := quoted[1 : len(quoted)-1]; bytes.IndexFunc(text, plainless) < 0 {
		s.p += len(quoted)
		return text, nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, s.errorf("%w", err)
	}
	s.p += len(quoted)
	return []byte(text), nil
}

// plainless tells characters that need a closer look.
func plainless(r rune) bool { return r < ' ' || r == '\\' || r == utf8.RuneError }

// skip consumes a value of any kind.
func (s *jsonScanner) skip() error {
	switch c := s.next(); c {
	case '{':
		return s.elements('{', '}', s.skipMember)
	case '[':
		return s.elements('[', ']', s.skip)
	case '"':
		return s.skipString()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c != '-' && (c < '0' || c > '9') {
			return s.unexpected("a value")
		}
		_, err := s.number()
		return err
	}
}

func (s *jsonScanner) skipMember() error {
	if s.next() != '"' {
		return s.unexpected("a string")
	}
	if err := s.skipString(); err != nil {
		return err
	}
	if err := s.expect(':'); err != nil {
		return err
	}
	return s.skip()
}

// literal consumes one of JSON's three words.
func (s *jsonScanner) literal(word string) error {
	if !bytes.HasPrefix(s.fill(len(word)), []byte(word)) {
		return s.unexpected("a value")
	}
	s.p += len(word)
	return nil
}

// skipString consumes a string of any length.
func (s *jsonScanner) skipString() error {
	s.p++
	for {
		d := s.fill(1)
		if len(d) == 0 {
			return s.errorf("the text ends within a string")
		}
		n := 0
		for n < len(d) && d[n] != '"' && d[n] != '\\' && d[n] >= ' ' {
			n++
		}
		s.p += n
		switch {
		case n == len(d):
		case d[n] == '"':
			s.p++
			return nil
		case d[n] == '\\':
			e := escapeLength(s.fill(6))
			if e == 0 {
				return s.errorf("unknown escape in a string")
			}
			s.p += e
		default:
			return s.errorf("control character in a string")
		}
	}
}

// escapeLength is the length of the escape that d begins with, 0 if it is none of JSON's.
func escapeLength(d []byte) int {
	if len(d) < 2 {
		return 0
	}
	if d[1] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), d[1]) < 0 {
			return 0
		}
		return 2
	}
	for i := 2; i < 6; i++ {
		if i == len(d) || !isHex(d[i]) {
			return 0
		}
	}
	return 6
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}
