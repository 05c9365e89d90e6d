package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

func scanWhole(r io.Reader) error {
	s := New(r)
	if err := s.Skip(); err != nil {
		return err
	}
	return s.End()
}

func TestScannerErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "byte 0: the text ends, want a value",
		"[1,":                             "byte 3: the text ends, want a value",
		"[1":                              `byte 2: the text ends, want ',' or ']'`,
		"[1,]":                            `byte 3: ']', want a value`,
		"{\"a\":1,}":                      `byte 7: '}', want a string`,
		"{\"a\" 1}":                       `byte 5: '1', want ':'`,
		"[01]":                            `byte 2: '1', want ','`,
		"[-]":                             "byte 1: not a number",
		"1.":                              "byte 0: not a number",
		"1e+":                             "byte 0: not a number",
		"\"a":                             "byte 2: the text ends",
		"\"a\nb\"":                        "byte 2: control character",
		`"\x"`:                            "byte 1: unknown escape",
		`"\u12g4"`:                        "byte 1: unknown escape",
		"nul":                             "byte 0: 'n', want a value",
		"{} {}":                           `byte 3: '{', want the end`,
		"\x00":                            `byte 0: '\x00', want a value`,
		strings.Repeat("[", 100):          "byte 65: values nest more than 64 deep",
		strings.Repeat("1", bufferSize*2): "byte 0: not a number of at most 512",
	} {
		if err := scanWhole(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	broken := errors.New("broken disk")
	if err := scanWhole(io.MultiReader(strings.NewReader("[1, 2"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

func TestScannerValues(t *testing.T) {
	s := New(strings.NewReader(` {"a\u0062": -9001999999999999999, "b": "x\\y\u00e9" , "c":[1,[2],{"d":null}]} `))
	var got []string
	err := s.Object(func(key []byte) error {
		name := string(key)
		switch name {
		case "ab":
			v, err := s.Integer()
			got = append(got, fmt.Sprint(name, "=", v))
			return err
		case "b":
			v, err := s.Text()
			got = append(got, name+"="+v)
			return err
		}
		s.Next()
		from := s.Offset()
		err := s.Skip()
		got = append(got, fmt.Sprint(name, "=", from, "..", s.Offset()))
		return err
	})
	if err := errors.Join(err, s.End()); err != nil {
		t.Fatal(err)
	}
	if want := `ab=-9001999999999999999 b=x\yé c=59..77`; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, text := range []string{"1.5", "9223372036854775808", `"one"`, "null", "NaN", "-Infinity", `"NaN"`} {
		if v, err := New(strings.NewReader(text)).Integer(); err == nil {
			t.Errorf("%s is the whole number %d", text, v)
		}
	}
	for text, want := range map[string]int64{"1.0": 1, "1e3": 1000, `"7"`: 7, `" 7.0 "`: 7, "true": 1, "false": 0, "-3": -3} {
		if v, err := New(strings.NewReader(text)).Integer(); err != nil || v != want {
			t.Errorf("%s is %d, %v", text, v, err)
		}
	}
	if _, err := New(strings.NewReader(`"` + strings.Repeat("a", maxString) + `"`)).Text(); err == nil {
		t.Error("a string of any length is read")
	}
}

func TestRows(t *testing.T) {
	for text, want := range map[string]string{
		" [[1,2],[-3, 4]] ,[5]": "[[1,2],[-3, 4]]", "[]": "[]", "[x]]": "[x]", "[[1,2]": "", "7": "", "": "",
		`["]"]`: "", `[{}]`: "", "{}": "",
	} {
		s := Of([]byte(text))
		if got := s.Rows(); string(got) != want {
			t.Errorf("rows of %q are %q, want %q", text, got, want)
		}
		if at := strings.Index(text, want) + len(want); want != "" && s.Offset() != int64(at) {
			t.Errorf("%q is read up to %d, want %d", text, s.Offset(), at)
		}
	}
}

var notFinite = regexp.MustCompile(`NaN|Infinity`)

var longNumber = regexp.MustCompile(`[-+.0-9eE]{512}`)

// FuzzScanner accepts what encoding/json does, however the text arrives.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+10,"x\"\u00ff",true,false,null,{}]}`, `[0.0,-0,1E5]`, " \t\r\n[ ] ", `"\ud800"`, "\"\xff\"", `{"":""}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Count(string(data), "[")+strings.Count(string(data), "{") > maxDepth || longNumber.Match(data) {
			return
		}
		err := scanWhole(strings.NewReader(string(data)))
		if notFinite.Match(data) { // which Python writes
			return
		}
		if (err == nil) != json.Valid(data) {
			t.Fatalf("%q: scanned with %v, valid is %v", data, err, json.Valid(data))
		}
		whole, rows := Of(data), Of(data)
		if list := rows.Rows(); list != nil && whole.Skip() == nil && whole.Offset() != rows.Offset() {
			t.Fatalf("%q: rows %q", data, list)
		}
		if slow := scanWhole(iotest.OneByteReader(strings.NewReader(string(data)))); fmt.Sprint(slow) != fmt.Sprint(err) {
			t.Fatalf("%q: %v, byte by byte %v", data, err, slow)
		}
	})
}
