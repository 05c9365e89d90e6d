package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	maxFile  = 1 << 20 // bytes of a suite file
	maxDepth = 16      // of collections in collections
	maxItems = 1000    // of a list or mapping
)

// fromSet is the line of what --set wrote.
const fromSet = -1

// place is where a value was written.
type place struct{ line, column int }

// A reader turns a tree of YAML nodes into values and gathers what is wrong on the way.
type reader struct {
	file   string
	known  Known
	most   int // bytes of the file
	faults Faults
	places map[string]place // by path: "protocol.size", "datasets[0].root"
}

func newReader(file string, known Known) *reader {
	return &reader{file: file, known: known, most: maxFile, places: map[string]place{}}
}

// note remembers where the value at path stands.
func (r *reader) note(n *yaml.Node, at string) { r.places[at] = place{n.Line, n.Column} }

// fault records that something is wrong at n.
func (r *reader) fault(n *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, faultAt(r.file, place{n.Line, n.Column}, fmt.Sprintf(format, args...)))
}

func faultAt(file string, p place, message string) Fault {
	if p.line == fromSet {
		return Fault{File: "--set", Message: message}
	}
	return Fault{File: file, Line: p.line, Column: p.column, Message: message}
}

// parse is the root mapping of data's one document, or nil if there is none. Everything that could be
// read in two ways or expand (anchors, aliases, merge keys, tags, second documents) is a fault.
func (r *reader) parse(data []byte) *yaml.Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !r.checkText(data) {
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		r.fault(&yaml.Node{}, "%v", err)
		return nil
	}
	var first, second yaml.Node
	if err := loader.Load(&first); err != nil {
		r.syntax(data, err)
		return nil
	}
	if err := loader.Load(&second); err == nil {
		r.fault(&second, "a second document begins here; keep one suite in one file")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(data, err)
	}
	if first.Kind != yaml.DocumentNode || len(first.Content) != 1 {
		r.fault(&first, emptyFile)
		return nil
	}
	before := len(r.faults)
	r.checkNodes(&first)
	if len(r.faults) > before {
		return nil
	}
	return first.Content[0]
}

// checkText refuses bytes that are not text: an error of the YAML reader would name no line.
func (r *reader) checkText(data []byte) bool {
	if len(data) > r.most {
		r.fault(&yaml.Node{}, "%s", tooLarge(r.most))
		return false
	}
	line := 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.fault(&yaml.Node{Line: line}, "not UTF-8 text; save the file as UTF-8")
			return false
		case c == '\n':
			line++
		case c < ' ' && c != '\t' && c != '\r' || c >= 0x7f && c < 0xa0 && c != 0x85 || c == 0xfffe || c == 0xffff ||
			c == 0xfeff:
			r.fault(&yaml.Node{Line: line}, "control character %U; delete it", c)
			return false
		}
		i += size
	}
	return true
}

// syntax records an error of the YAML parser, which ends at its first.
func (r *reader) syntax(data []byte, err error) {
	if errors.Is(err, io.EOF) {
		r.fault(&yaml.Node{}, emptyFile)
		return
	}
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.fault(&yaml.Node{}, "not valid YAML: %v", err)
		return
	}
	at := e.Mark
	if at.Line == 0 {
		at = e.ContextMark
	}
	if at.Line == 0 && e.Mark.Index > 0 && e.Mark.Index <= len(data) {
		at.Line = 1 + bytes.Count(data[:e.Mark.Index], []byte("\n"))
	}
	n := &yaml.Node{Line: at.Line, Column: at.Column}
	context := ""
	if e.ContextMark.Line > 0 && e.ContextMark.Line < at.Line && e.ContextMsg != "" {
		context = fmt.Sprintf(" %s that begins on line %d", e.ContextMsg, e.ContextMark.Line)
	}
	switch m := e.Message; {
	case strings.Contains(m, "exceeded max depth"):
		r.fault(n, "more than %d levels of lists and mappings; a suite needs three", maxDepth)
	case strings.Contains(m, "tab character"), strings.Contains(m, "cannot start any token") &&
		indentedByTab(data, at.Line):
		r.fault(n, "a tab indents this line; YAML wants blanks")
	case strings.Contains(m, "cannot start any token"):
		r.fault(n, "not valid YAML: a text must not begin like this; put quotes around it")
	case strings.Contains(m, "mapping values are not allowed"):
		r.fault(n, "not valid YAML: a colon where none may stand; check the indentation, or put quotes around a text with "+
			"a colon")
	case strings.Contains(m, "unknown anchor"):
		r.fault(n, noAliases)
	default:
		r.fault(n, "not valid YAML: %s%s; check indentation, quotes and brackets", m, context)
	}
}

func indentedByTab(data []byte, line int) bool {
	lines := bytes.SplitN(data, []byte("\n"), line+1)
	if line < 1 || line > len(lines) {
		return false
	}
	text := lines[line-1]
	return bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t')
}

func tooLarge(most int) string {
	return fmt.Sprintf("more than %d bytes, too much for such a file; is this the right one?", most)
}

const emptyFile = "nothing is written here; begin with a copy of a built-in suite (ovbench list suites)"

const noAliases = "anchors and aliases are not supported; write the value where it is used"

// checkNodes refuses what a suite never needs, so that what follows sees a plain tree.
func (r *reader) checkNodes(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "":
		r.fault(n, noAliases)
	case n.Style&yaml.TaggedStyle != 0:
		r.fault(n, "tag %s is not supported; delete it", quote(n.Tag))
	}
	if items := len(n.Content); items > 2*maxItems || n.Kind == yaml.SequenceNode && items > maxItems {
		r.fault(n, "more than %d entries, too many for a suite", maxItems)
		return
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && (c.Kind != yaml.ScalarNode || c.ShortTag() == "!!merge") {
			if c.Kind != yaml.AliasNode {
				r.fault(c, "a key is one word, got %s", describe(c))
				continue
			}
		}
		r.checkNodes(c)
	}
}

// describe is a node as a fault quotes it.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch {
		case isNull(n):
			return "nothing"
		case !isPlain(n):
			return "the text " + quote(n.Value)
		}
	}
	return quote(n.Value)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// isPlain reports whether n is a scalar without quotes, which may be a number.
func isPlain(n *yaml.Node) bool {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	return n.Kind == yaml.ScalarNode && n.Style&quoted == 0
}

func hasKey(n *yaml.Node, key string) bool {
	for name := range pairs(n) {
		if name.Value == key {
			return true
		}
	}
	return false
}
