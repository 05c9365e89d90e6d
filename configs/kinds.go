package configs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A kind says how a value is read from YAML, written back, and described to an editor.
type kind[V any] struct {
	// read is the value of n, which stands at the path at, or false after a fault.
	read func(r *reader, n *yaml.Node, at string) (V, bool)
	// write is the value as a tree of string, bool, int, uint64, float64, []any and object.
	write  func(V) any
	schema func() object
}

// A field is one key of a mapping T: the one place that says what it means, takes and defaults to.
type field[T any] struct {
	key, doc string
	need     bool // a mapping without it is faulty
	read     func(r *reader, n *yaml.Node, at string, t *T)
	write    func(t *T) (any, bool) // false: nothing to write
	value    func(t *T) any         // written whether or not it is the usual one
	copy     func(to, from *T)
	schema   func() object // nil: not in the schema
}

// key is a field that is always written.
func key[T, V any](name, doc string, in func(*T) *V, k kind[V]) field[T] {
	return field[T]{
		key: name, doc: doc, schema: k.schema,
		read: func(r *reader, n *yaml.Node, at string, t *T) {
			r.note(n, at)
			if v, ok := k.read(r, n, at); ok {
				*in(t) = v
			}
		},
		write: func(t *T) (any, bool) { return k.write(*in(t)), true },
		value: func(t *T) any { return k.write(*in(t)) },
		copy:  func(to, from *T) { *in(to) = *in(from) },
	}
}

// needed is a field without a default.
func needed[T any](f field[T]) field[T] { f.need = true; return f }

// optional is a field that is not written while empty says so.
func optional[T any](f field[T], empty func(*T) bool) field[T] {
	write := f.write
	f.write = func(t *T) (any, bool) {
		if empty(t) {
			return nil, false
		}
		return write(t)
	}
	return f
}

func required[T any](fields []field[T]) (keys []string) {
	for _, f := range fields {
		if f.need {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// readFields reads the mapping n into t. With complete, needed keys that are missing are faults.
func readFields[T any](r *reader, n *yaml.Node, at string, t *T, fields []field[T], complete bool) {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	seen := map[string]int{}
	for name, value := range pairs(n) {
		path := join(at, name.Value)
		i := slices.Index(keys, name.Value)
		first, twice := seen[name.Value]
		seen[name.Value] = name.Line
		switch {
		case twice:
			r.fault(name, "%s is written twice, first %s; delete one", short(path), onLine(first))
		case i < 0:
			r.fault(name, "key %s %s", quote(path), notKnown(name.Value, keys))
		case isNull(value):
			r.fault(name, "%s has no value; write one or delete the line", path)
		default:
			fields[i].read(r, value, path, t)
		}
	}
	for _, f := range fields {
		if _, ok := seen[f.key]; complete && f.need && !ok {
			r.fault(n, "%s is missing: %s", join(at, f.key), f.doc)
		}
	}
}

// writeFields is t as readFields reads it.
func writeFields[T any](t *T, fields []field[T]) object {
	var o object
	for _, f := range fields {
		if v, ok := f.write(t); ok {
			o = append(o, pair{f.key, v})
		}
	}
	return o
}

// pairs yields the keys and values of a mapping.
func pairs(n *yaml.Node) func(yield func(name, value *yaml.Node) bool) {
	return func(yield func(name, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// short is a path that fits a line.
func short(path string) string {
	return strings.Trim(quote(path), `"`)
}

// text is a string of at most most printable characters, outer blanks trimmed. lines allows several lines.
func text(most int, lines bool) kind[string] {
	return kind[string]{
		read: func(r *reader, n *yaml.Node, at string) (string, bool) {
			if n.Kind != yaml.ScalarNode {
				r.fault(n, "%s: want a text, got %s", at, describe(n))
				return "", false
			}
			s := strings.TrimSpace(n.Value)
			switch c, ok := unprintable(s, lines); {
			case s == "":
				r.fault(n, "%s: want a text, got nothing; write one or delete the line", at)
			case ok:
				r.fault(n, "%s: character %U in %s; delete it", at, c, quote(s))
			case utf8.RuneCountInString(s) > most:
				r.fault(n, "%s: %d characters; at most %d", at, utf8.RuneCountInString(s), most)
			default:
				return s, true
			}
			return "", false
		},
		write:  func(s string) any { return s },
		schema: func() object { return object{{"type", "string"}, {"maxLength", most}} },
	}
}

func unprintable(s string, lines bool) (rune, bool) {
	for _, c := range s {
		if !unicode.IsPrint(c) && !(lines && (c == '\n' || c == '\t')) {
			return c, true
		}
	}
	return 0, false
}

// choice is one of values. Those of reserved are understood and refused.
func choice(values []string, reserved ...string) kind[string] {
	word := text(100, false)
	return kind[string]{
		read: func(r *reader, n *yaml.Node, at string) (string, bool) {
			s, ok := word.read(r, n, at)
			switch {
			case !ok:
			case slices.Contains(values, s):
				return s, true
			case slices.Contains(reserved, s):
				r.fault(n, "%s: %q is not available in this version; use %s", at, s, strings.Join(values, ", "))
			default:
				r.fault(n, "%s: %s %s", at, quote(s), notKnown(s, append(slices.Clone(values), reserved...)))
			}
			return "", false
		},
		write:  word.write,
		schema: func() object { return object{{"enum", values}} },
	}
}

// choiceOrFile is one of values or the path of a file.
func choiceOrFile(values ...string) kind[string] {
	word, k := text(1000, false), choice(values)
	read := k.read
	k.read = func(r *reader, n *yaml.Node, at string) (string, bool) {
		if n.Kind == yaml.ScalarNode && IsFile(strings.TrimSpace(n.Value)) {
			return word.read(r, n, at)
		}
		return read(r, n, at)
	}
	k.schema = func() object {
		return object{{"anyOf", []any{object{{"enum", values}}, object{{"pattern", `[/\\]|\.txt$`}}}}}
	}
	return k
}

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	realNumber  = regexp.MustCompile(`^-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
)

// unquote is the remedy for a number in quotes.
func unquote(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isPlain(n) && realNumber.MatchString(n.Value) {
		return "; remove the quotes"
	}
	return ""
}

// whole is a decimal number from low to high. Octal, hexadecimal, underscores and fractions are faults.
func whole(low, high int) kind[int] {
	return kind[int]{
		read: func(r *reader, n *yaml.Node, at string) (int, bool) {
			if isPlain(n) && wholeNumber.MatchString(n.Value) {
				if v, err := strconv.Atoi(n.Value); err == nil && v >= low && v <= high {
					return v, true
				}
			}
			r.fault(n, "%s: want a whole number from %d to %d, got %s%s", at, low, high, describe(n), unquote(n))
			return 0, false
		},
		write:  func(v int) any { return v },
		schema: func() object { return object{{"type", "integer"}, {"minimum", low}, {"maximum", high}} },
	}
}

// toggle is true or false.
var toggle = kind[bool]{
	read: func(r *reader, n *yaml.Node, at string) (bool, bool) {
		if isPlain(n) && (n.Value == "true" || n.Value == "false") {
			return n.Value == "true", true
		}
		r.fault(n, "%s: want true or false, got %s", at, describe(n))
		return false, false
	},
	write:  func(v bool) any { return v },
	schema: func() object { return object{{"type", "boolean"}} },
}

// seed is any unsigned 64-bit number.
var seed = kind[uint64]{
	read: func(r *reader, n *yaml.Node, at string) (uint64, bool) {
		if isPlain(n) && wholeNumber.MatchString(n.Value) {
			if v, err := strconv.ParseUint(n.Value, 10, 64); err == nil {
				return v, true
			}
		}
		r.fault(n, "%s: want a whole number from 0 to %d, got %s%s", at, uint64(1<<64-1), describe(n), unquote(n))
		return 0, false
	},
	write:  func(v uint64) any { return v },
	schema: func() object { return object{{"type", "integer"}, {"minimum", 0}} },
}

// number is a finite decimal number that ok accepts; want says which.
func number(want string, ok func(float64) bool, schema object) kind[float64] {
	return kind[float64]{
		read: func(r *reader, n *yaml.Node, at string) (float64, bool) {
			if v, is := finite(n); is && ok(v) {
				return v, true
			}
			r.fault(n, "%s: want a number %s, got %s%s", at, want, describe(n), unquote(n))
			return 0, false
		},
		write:  func(v float64) any { return v },
		schema: func() object { return schema },
	}
}

// finite is the number n spells, never a negative zero.
func finite(n *yaml.Node) (float64, bool) {
	if !isPlain(n) || !realNumber.MatchString(n.Value) {
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	if v == 0 {
		v = 0
	}
	return v, err == nil
}

// namedTexts is a mapping of names to strings.
func namedTexts(example string) kind[map[string]string] {
	word := text(1000, false)
	return kind[map[string]string]{
		read: func(r *reader, n *yaml.Node, at string) (map[string]string, bool) {
			if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
				r.fault(n, "%s: want a mapping such as %s, got %s", at, example, describe(n))
				return nil, false
			}
			out := map[string]string{}
			for name, value := range pairs(n) {
				path := join(at, name.Value)
				r.note(value, path)
				if _, twice := out[name.Value]; twice {
					r.fault(name, "%s is written twice; delete one", short(path))
				} else if !goodName.MatchString(name.Value) {
					r.fault(name, "%s: want letters, digits, - _ and . only, got %s", at, quote(name.Value))
				} else if v, ok := word.read(r, value, path); ok {
					out[name.Value] = v
				}
			}
			return out, len(out) == len(n.Content)/2
		},
		write: func(m map[string]string) any {
			var o object
			for _, name := range slices.Sorted(maps.Keys(m)) {
				o = append(o, pair{name, m[name]})
			}
			return o
		},
		schema: func() object {
			return object{{"type", "object"}, {"minProperties", 1}, {"additionalProperties", word.schema()}}
		},
	}
}

// list is one or more values of kind k, each under a label of its own. what is the label called in words, and remedy
// what to do where two are equal.
func list[V any](k kind[V], example, what, remedy string, label func(V) string) kind[[]V] {
	return kind[[]V]{
		read: func(r *reader, n *yaml.Node, at string) ([]V, bool) {
			if n.Kind != yaml.SequenceNode {
				r.fault(n, "%s: want a list such as %s, got %s", at, example, describe(n))
				return nil, false
			}
			if len(n.Content) == 0 {
				r.fault(n, "%s: the list is empty; write for example %s", at, example)
				return nil, false
			}
			out := make([]V, 0, len(n.Content))
			seen := map[string]int{}
			for i, c := range n.Content {
				item := fmt.Sprintf("%s[%d]", at, i)
				r.note(c, item)
				v, ok := k.read(r, c, item)
				if !ok {
					continue
				}
				name := label(v)
				if first, twice := seen[name]; twice {
					r.fault(c, "%s: %s %s is used twice, first %s; %s", at, what, quote(name), onLine(first), remedy)
					continue
				}
				seen[name] = c.Line
				out = append(out, v)
			}
			return out, len(out) == len(n.Content)
		},
		write: func(vs []V) any {
			out := make([]any, len(vs))
			for i, v := range vs {
				out[i] = k.write(v)
			}
			return out
		},
		schema: func() object { return object{{"type", "array"}, {"items", k.schema()}, {"minItems", 1}} },
	}
}

// once is the remedy where a name is all there is.
const once = "write each once"

// onLine is a line in words; what --set wrote has none.
func onLine(line int) string {
	if line < 1 {
		return "in the same value"
	}
	return fmt.Sprintf("on line %d", line)
}
