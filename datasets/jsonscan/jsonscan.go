// Package jsonscan answers: where in a JSON text of any size does each value lie? It reads in bounded memory.
package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a Scanner: how deep values nest, and the bytes of one number or of one string that is read.
const (
	maxDepth  = 64
	maxNumber = 512
	maxString = 4096
)

// bufferSize is how much of a file a Scanner holds.
const bufferSize = 1 << 18

// A Scanner walks through one JSON text of any size in bounded memory, accepts what encoding/json does within the
// bounds above, and knows the byte offset of every value. The tokens of encoding/json take more than ten times as long
// on COCO's files and are allocated one by one.
type Scanner struct {
	r     io.Reader
	buf   []byte // read and not yet consumed from p on
	p     int
	base  int64 // offset of buf[0]
	eof   error // what ended reading; nil before
	key   []byte
	depth int
	long  int // the bytes of a string that is read are fewer
}

// New scans r from its beginning.
func New(r io.Reader) *Scanner {
	return &Scanner{r: r, buf: make([]byte, 0, bufferSize), long: maxString}
}

// Of scans a text in memory, whose strings may be as long as it.
func Of(text []byte) *Scanner { return &Scanner{buf: text, eof: io.EOF, long: len(text) + 1} }

// Offset is where the next byte lies in the text.
func (s *Scanner) Offset() int64 { return s.base + int64(s.p) }

// Errorf is an error at the byte that is next.
func (s *Scanner) Errorf(format string, args ...any) error {
	if s.eof != nil && s.eof != io.EOF { // what there is of the text says little
		return s.eof
	}
	return fmt.Errorf("byte %d: %w", s.Offset(), fmt.Errorf(format, args...))
}

// fill makes the next n bytes available, or all if the text ends before, and returns what there is. n is at most
// bufferSize.
func (s *Scanner) fill(n int) []byte {
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

// Next is the first byte of the next token, which stays; 0 at the end.
func (s *Scanner) Next() byte {
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
func (s *Scanner) expect(c byte) error {
	if got := s.Next(); got != c {
		return s.unexpected(fmt.Sprintf("%q", c))
	}
	s.p++
	return nil
}

func (s *Scanner) unexpected(want string) error {
	if c := s.Next(); c != 0 || s.p < len(s.buf) {
		return s.Errorf("%q, want %s", c, want)
	}
	return s.Errorf("the text ends, want %s", want)
}

// End checks that nothing follows.
func (s *Scanner) End() error {
	if s.Next(); s.p < len(s.buf) {
		return s.unexpected("the end of the text")
	}
	if s.eof != io.EOF {
		return s.eof
	}
	return nil
}

// Object calls visit for each key; visit consumes the value, which overwrites key.
func (s *Scanner) Object(visit func(key []byte) error) error {
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

// Lists walks through an object that is the whole text. It calls the function of a key for each element of that key's
// list, and skips other keys. A second list of a key is an error, and so is a text without one that is required.
func (s *Scanner) Lists(element map[string]func() error, required ...string) error {
	seen := make(map[string]bool)
	switch head := s.fill(3); {
	case bytes.HasPrefix(head, []byte("\ufeff")):
		s.p += len("\ufeff")
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return errors.New("text in UTF-16; save it as UTF-8")
	}
	err := s.Object(func(key []byte) error {
		visit, wanted := element[string(key)]
		switch {
		case !wanted:
			return s.Skip()
		case seen[string(key)]:
			return s.Errorf("a second list of %s", key)
		}
		seen[string(key)] = true
		return s.Array(visit)
	})
	if err != nil {
		return err
	}
	for _, key := range required {
		if !seen[key] {
			return fmt.Errorf("no list of %s", key)
		}
	}
	return s.End()
}

// Array calls visit for each element; visit consumes it.
func (s *Scanner) Array(visit func() error) error { return s.elements('[', ']', visit) }

func (s *Scanner) elements(open, shut byte, visit func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.Errorf("values nest more than %d deep", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.Next() == shut {
		s.p++
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		switch s.Next() {
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

// Integer reads a whole number, also one that a script wrote as 1.0, "1" or true.
func (s *Scanner) Integer() (int64, error) {
	first := s.Next()
	at := *s
	switch first {
	case 't':
		return 1, s.literal("true")
	case 'f':
		return 0, s.literal("false")
	}
	v, text, err := s.numeric()
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	const exact = 1 << 53
	if v != math.Trunc(v) || math.Abs(v) > exact {
		return 0, at.Errorf("%s is not a whole number of 64 bits", text)
	}
	return int64(v), nil
}

// Float reads a number, also one in quotes, and Python's NaN, Infinity and -Infinity.
func (s *Scanner) Float() (float64, error) {
	v, _, err := s.numeric()
	return v, err
}

// numeric reads a number, which may stand in quotes, with its text.
func (s *Scanner) numeric() (float64, string, error) {
	c := s.Next()
	at := *s
	var text string
	switch {
	case c == '"':
		quoted, err := s.Text()
		if err != nil {
			return 0, "", err
		}
		text = strings.TrimSpace(quoted)
	case s.notFinite() != "":
		text = s.notFinite()
		s.p += len(text)
	case c != '-' && (c < '0' || c > '9'):
		return 0, "", s.unexpected("a number")
	default:
		digits, err := s.number()
		if err != nil {
			return 0, "", err
		}
		text = string(digits)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, "", at.Errorf("the text %.40q, want a number", text)
	}
	return v, text, nil
}

// notFinite is the word next that Python writes and JSON has not, "" if there is none.
func (s *Scanner) notFinite() string {
	if c := s.Next(); c != 'N' && c != 'I' && c != '-' {
		return ""
	}
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(s.fill(len(word)), []byte(word)) {
			return word
		}
	}
	return ""
}

// Null consumes null if that is next, and says so.
func (s *Scanner) Null() bool { return s.Next() == 'n' && s.literal("null") == nil }

// number consumes a number; the bytes are valid until the next call.
func (s *Scanner) number() ([]byte, error) {
	d := s.fill(maxNumber + 1)
	n := numberLength(d)
	if n == 0 || n > maxNumber {
		return nil, s.Errorf("not a number of at most %d characters", maxNumber)
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

// Text reads a string of at most maxString bytes.
func (s *Scanner) Text() (string, error) {
	text, err := s.text()
	return string(text), err
}

// text is Text in bytes that are valid until the next call.
func (s *Scanner) text() ([]byte, error) {
	if s.Next() != '"' {
		return nil, s.unexpected("a string")
	}
	d := s.fill(s.long)
	for i := 1; i < min(len(d), s.long); i++ {
		switch {
		case d[i] == '\\':
			i++
		case d[i] == '"':
			return s.unquote(d[:i+1])
		}
	}
	if len(d) < s.long {
		return nil, s.Errorf("the text ends within a string")
	}
	return nil, s.Errorf("a string that does not end within %d bytes", s.long)
}

// unquote consumes quoted, which begins with the next byte.
func (s *Scanner) unquote(quoted []byte) ([]byte, error) {
	if text := quoted[1 : len(quoted)-1]; bytes.IndexFunc(text, plainless) < 0 {
		s.p += len(quoted)
		return text, nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, s.Errorf("%w", err)
	}
	s.p += len(quoted)
	return []byte(text), nil
}

// plainless tells characters that need a closer look.
func plainless(r rune) bool { return r < ' ' || r == '\\' || r == utf8.RuneError }

// Rows consumes the list that is next, of numbers and lists alone, by its brackets: what stands between them is for the
// caller to check. It is nil, and nothing consumed, where there is something else, or more than lies in memory.
func (s *Scanner) Rows() []byte {
	if s.Next() != '[' {
		return nil
	}
	depth := 0
	for i, c := range s.buf[s.p:] {
		switch c {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				s.p += i + 1
				return s.buf[s.p-i-1 : s.p]
			}
		case '"', '{', '}':
			return nil
		}
	}
	return nil
}

// Skip consumes a value of any kind.
func (s *Scanner) Skip() error {
	switch c := s.Next(); c {
	case '{':
		return s.elements('{', '}', s.skipMember)
	case '[':
		return s.elements('[', ']', s.Skip)
	case '"':
		return s.skipString()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if word := s.notFinite(); word != "" {
			return s.literal(word)
		}
		if c != '-' && (c < '0' || c > '9') {
			return s.unexpected("a value")
		}
		_, err := s.number()
		return err
	}
}

func (s *Scanner) skipMember() error {
	if s.Next() != '"' {
		return s.unexpected("a string")
	}
	if err := s.skipString(); err != nil {
		return err
	}
	if err := s.expect(':'); err != nil {
		return err
	}
	return s.Skip()
}

// literal consumes one of JSON's three words.
func (s *Scanner) literal(word string) error {
	if !bytes.HasPrefix(s.fill(len(word)), []byte(word)) {
		return s.unexpected("a value")
	}
	s.p += len(word)
	return nil
}

// skipString consumes a string of any length.
func (s *Scanner) skipString() error {
	s.p++
	for {
		d := s.fill(1)
		if len(d) == 0 {
			return s.Errorf("the text ends within a string")
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
				return s.Errorf("unknown escape in a string")
			}
			s.p += e
		default:
			return s.Errorf("control character in a string")
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
