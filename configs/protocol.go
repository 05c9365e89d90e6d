package configs

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// Protocol is all that changes a number and is not the method, the model or the data. It is a value and
// comparable. The zero Protocol measures nothing: take one of [Protocols] and change it.
//
// Where Templates or Queries name a file, the protocol holds its path only; a record of a run needs its
// content beside.
type Protocol struct {
	Name         string  // as declared; String adds where it departs from the built-in of that name
	Resize       string  // how an image meets the network: "squash" to Size, whatever its shape
	Size         Size    // of the network's input, in pixels
	Filter       string  // of Resize: "bicubic", Pillow's, antialiased
	Positions    string  // positional embeddings on other grids: reference (the method's own), bilinear, bicubic, bicubic-antialias
	Templates    string  // prompts around a query: none, openai7, openai80, surgery85, or a file
	Queries      string  // words of the classes: a query set of the data set, or a file
	Redundant    string  // feature surgery, for tasks that rank a class by itself: reference (the method's own), labels, paper, empty, none
	Scale        float64 // CLIP's logit scale: factor of the cosines before softmax
	Threshold    float64 // pixels whose best probability is lower become class 0; 0 for none
	DecodeResize string  // maps to the size of the truth: "bilinear", align_corners=False
	Convention   string  // of intersection and union: "mmseg"
}

// Size is a height and a width in pixels.
type Size struct{ H, W int }

// String is HxW.
func (s Size) String() string { return fmt.Sprintf("%dx%d", s.H, s.W) }

// The sides of a network's input, in pixels.
const minSide, maxSide = 16, 4096

var sizePattern = regexp.MustCompile(`^([1-9][0-9]{0,4})(?:x([1-9][0-9]{0,4}))?$`)

var sizeKind = kind[Size]{
	read: func(r *reader, n *yaml.Node, at string) (Size, bool) {
		m := sizePattern.FindStringSubmatch(n.Value)
		if n.Kind != yaml.ScalarNode || m == nil {
			r.fault(n, "%s: want a whole number or HxW, got %s", at, describe(n))
			return Size{}, false
		}
		h, _ := strconv.Atoi(m[1])
		w := h
		if m[2] != "" {
			w, _ = strconv.Atoi(m[2])
		}
		if min(h, w) < minSide || max(h, w) > maxSide {
			r.fault(n, "%s: want sides from %d to %d pixels, got %s", at, minSide, maxSide, describe(n))
			return Size{}, false
		}
		return Size{h, w}, true
	},
	write: func(s Size) any {
		if s.H == s.W {
			return s.H
		}
		return s.String()
	},
	schema: func() object {
		return object{{"anyOf", []any{
			object{{"type", "integer"}, {"minimum", minSide}, {"maximum", maxSide}},
			object{{"type", "string"}, {"pattern", "^[0-9]+x[0-9]+$"}},
		}}}
	},
}

var (
	scaleKind = number("above 0, at most 1000", func(v float64) bool { return v > 0 && v <= 1000 },
		object{{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 1000}})
	thresholdKind = number("from 0 to below 1", func(v float64) bool { return v >= 0 && v < 1 },
		object{{"type", "number"}, {"minimum", 0}, {"exclusiveMaximum", 1}})
)

// protocolFields is every key of a protocol. All but the name change numbers.
var protocolFields = []field[Protocol]{
	needed(key("name", "what tables call this protocol", func(p *Protocol) *string { return &p.Name }, text(80, false))),
	needed(key("resize", "how an image meets the network: squash fills size and ignores the image's shape",
		func(p *Protocol) *string { return &p.Resize }, choice([]string{"squash"}, "short-side"))),
	needed(key("size", "input of the network in pixels: one number for a square, or HxW",
		func(p *Protocol) *Size { return &p.Size }, sizeKind)),
	needed(key("filter", "kernel of resize: bicubic, bilinear and lanczos are Pillow's, antialiased; cv2-linear is OpenCV's",
		func(p *Protocol) *string { return &p.Filter }, choice([]string{"bicubic", "bilinear", "lanczos", "cv2-linear"}))),
	needed(key("positions", "positional embeddings on other grids; reference is the method's own way",
		func(p *Protocol) *string { return &p.Positions }, choice([]string{"reference", "bilinear", "bicubic", "bicubic-antialias"}))),
	needed(key("templates", "prompts around a query: none, openai7, openai80, surgery85, or a .txt file",
		func(p *Protocol) *string { return &p.Templates }, choiceOrFile("none", "openai7", "openai80", "surgery85"))),
	needed(key("queries", "words that stand for the classes: a query set (ovbench list datasets) or a .txt file",
		func(p *Protocol) *string { return &p.Queries }, text(1000, false))),
	needed(key("redundant", "feature surgery, for tasks explain and multilabel; reference is the method's own",
		func(p *Protocol) *string { return &p.Redundant }, choice([]string{"reference", "labels", "paper", "empty", "none"}))),
	needed(key("scale", "factor of the cosines before softmax, CLIP's logit scale; matters with a threshold",
		func(p *Protocol) *float64 { return &p.Scale }, scaleKind)),
	needed(key("threshold", "a pixel whose best probability is lower becomes class 0, background; 0 for none",
		func(p *Protocol) *float64 { return &p.Threshold }, thresholdKind)),
	needed(key("decode_resize", "maps to the size of the truth: bilinear, align_corners=False",
		func(p *Protocol) *string { return &p.DecodeResize }, choice([]string{"bilinear"}, "bicubic", "nearest"))),
	needed(key("convention", "how intersection and union are counted",
		func(p *Protocol) *string { return &p.Convention }, choice([]string{"mmseg", "cityscapes", "cocostuff", "ade20k", "imagenet_s"}))),
	later[Protocol]("window"),
	later[Protocol]("stride"),
	later[Protocol]("area_threshold"),
	later[Protocol]("pamr"),
}

// Field is one line of a protocol as people read it.
type Field struct{ Key, Value, Doc string }

// Fields is everything in p that changes a number, in a fixed order.
func (p Protocol) Fields() []Field {
	var out []Field
	for _, f := range protocolFields {
		v, ok := f.write(&p)
		if !ok || f.key == "name" {
			continue
		}
		value := fmt.Sprint(v)
		switch x := v.(type) {
		case float64:
			value = strconv.FormatFloat(x, 'g', -1, 64)
		case int: // a square
			value = p.Size.String()
		}
		out = append(out, Field{f.key, value, f.doc})
	}
	return out
}

// Fingerprint is the SHA-256, in hexadecimal, of the JSON object {key: value} of Fields with sorted keys.
// Protocols that give equal numbers under different names have equal fingerprints.
func (p Protocol) Fingerprint() string {
	values := map[string]string{}
	for _, f := range p.Fields() {
		values[f.Key] = f.Value
	}
	return fingerprint(values)
}

func fingerprint(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings, finite numbers and lists of them are always JSON
	}
	sum := sha256.Sum256(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return hex.EncodeToString(sum[:])
}

// Diff says where two protocols differ, a line for each field such as "size: 512x512, 224x224". Names do not count.
func Diff(a, b Protocol) []string {
	var out []string
	other := b.Fields()
	for i, f := range a.Fields() {
		if f.Value != other[i].Value {
			out = append(out, fmt.Sprintf("%s: %s, %s", f.Key, f.Value, other[i].Value))
		}
	}
	return out
}

// String is the name, and where p departs from the built-in protocol of that name: "clip-surgery (size=224x224)".
func (p Protocol) String() string {
	b, ok := builtin(p.Name)
	if !ok || b == p {
		return p.Name
	}
	var own []string
	theirs := b.Fields()
	for i, f := range p.Fields() {
		if f.Value != theirs[i].Value {
			own = append(own, f.Key+"="+f.Value)
		}
	}
	return fmt.Sprintf("%s (%s)", p.Name, strings.Join(own, ", "))
}

//go:embed protocols.yaml
var protocolsYAML []byte

// Protocols lists the protocols of protocols.yaml in its order. The list belongs to the caller.
func Protocols() []Protocol { return slices.Clone(protocols()) }

var protocols = sync.OnceValue(func() []Protocol {
	out, faults := parseProtocols("configs/protocols.yaml", protocolsYAML)
	if err := faults.Err(); err != nil {
		panic(err) // the file is compiled in, and a test reads it
	}
	return out
})

func parseProtocols(file string, data []byte) ([]Protocol, Faults) {
	r := newReader(file, Known{})
	root := r.parse(data)
	if root == nil {
		return nil, r.faults
	}
	var out []Protocol
	for name, value := range pairs(root) {
		p := Protocol{Name: name.Value}
		readFields(r, value, name.Value, &p, protocolFields[1:], true)
		out = append(out, p)
	}
	return out, r.faults
}

func builtin(name string) (Protocol, bool) {
	for _, p := range protocols() {
		if p.Name == name {
			return p, true
		}
	}
	return Protocol{}, false
}

func protocolNames() (names []string) {
	for _, p := range protocols() {
		names = append(names, p.Name)
	}
	return names
}

// protocolKind is a protocol in a suite: a name, or a mapping with a base and what departs from it, or a
// mapping with every key.
var protocolKind = kind[Protocol]{
	read:  readProtocol,
	write: func(p Protocol) any { return writeFields(&p, protocolFields) },
	schema: func() object {
		base := field[Protocol]{key: "base", doc: "the protocol to start from", schema: func() object { return object{{"enum", protocolNames()}} }}
		return object{{"anyOf", []any{object{{"enum", protocolNames()}}, mapping(append([]field[Protocol]{base}, protocolFields...), false)}}}
	},
}

func readProtocol(r *reader, n *yaml.Node, at string) (Protocol, bool) {
	before := len(r.faults)
	var p Protocol
	base := func(n *yaml.Node, at string) {
		ok := n.Kind == yaml.ScalarNode
		if ok {
			p, ok = builtin(n.Value)
		}
		if !ok {
			r.fault(n, "%s: %s %s (ovbench list protocols)", at, describe(n), notKnown(n.Value, protocolNames()))
		}
	}
	switch n.Kind {
	case yaml.ScalarNode:
		base(n, at)
	case yaml.MappingNode:
		based := false
		for name, value := range pairs(n) {
			if name.Value == "base" && !based && !isNull(value) {
				based = true
				base(value, join(at, "base"))
			}
		}
		missing := slices.DeleteFunc(required(protocolFields), func(k string) bool { return hasKey(n, k) })
		if !based && len(missing) > 0 {
			r.fault(n, "%s lacks %s; write base: %s and only what departs from it (ovbench list protocols)", at, strings.Join(missing, ", "), protocols()[0].Name)
		}
		// The base was read before the keys that depart from it, wherever it stands.
		done := field[Protocol]{key: "base", read: func(*reader, *yaml.Node, string, *Protocol) {}}
		readFields(r, n, at, &p, append(slices.Clone(protocolFields), done), false)
	default:
		r.fault(n, "%s: want a name or a mapping with a base, got %s (ovbench list protocols)", at, describe(n))
	}
	return p, len(r.faults) == before
}
