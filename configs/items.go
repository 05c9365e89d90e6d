package configs

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

var datasetFields = []field[Dataset]{
	needed(key("name", "which data set (ovbench list datasets)", func(d *Dataset) *string { return &d.Name },
		datasetName)),
	optional(key("id", "what records and tables call it, where one data set stands twice; its name unless written",
		func(d *Dataset) *string { return &d.ID }, nameKind),
		func(d *Dataset) bool { return d.ID == "" }),
	optional(key("title", "a line for people; the id, or its own, unless written", func(d *Dataset) *string { return &d.Title },
		text(200, false)),
		func(d *Dataset) bool { return d.Title == "" }),
	optional(key("root", "its directory, from the folder of the suite; it goes before --data",
		func(d *Dataset) *string { return &d.Root }, text(1000, false)),
		func(d *Dataset) bool { return d.Root == "" }),
	optional(key("split", "the usual evaluation split unless written", func(d *Dataset) *string { return &d.Split },
		text(200, false)),
		func(d *Dataset) bool { return d.Split == "" }),
	optional(key("queries", "a query set or a .txt file; the protocol's unless written",
		func(d *Dataset) *string { return &d.Queries }, text(1000, false)),
		func(d *Dataset) bool { return d.Queries == "" }),
	optional(key("experts", "a file of class experts, or none; the protocol's unless written",
		func(d *Dataset) *string { return &d.Experts }, expertsFile),
		func(d *Dataset) bool { return d.Experts == "" }),
	optional(key("limit", "only the first images; all unless written", func(d *Dataset) *int { return &d.Limit },
		whole(1, 1_000_000_000)),
		func(d *Dataset) bool { return d.Limit == 0 }),
	optionalText("label_names", "a file that says what stored numbers mean, where copies differ: PASCAL Context",
		func(d *Dataset) *string { return &d.LabelNames }),
	optionalText("regions", "a folder of masks of regions, one a picture, for methods that read them: corrclip",
		func(d *Dataset) *string { return &d.Regions }),
	optionalToggle("labelled_only", "leave out images without labels: NUS-WIDE",
		func(d *Dataset) *bool { return &d.LabelledOnly }),
	optionalToggle("apply_exif",
		"turn pictures as their EXIF orientation says; annotations refer to stored pixels almost everywhere",
		func(d *Dataset) *bool { return &d.ApplyEXIF }),
	optionalText("images", "folder: the pictures, below root; images unless written",
		func(d *Dataset) *string { return &d.Images }),
	optionalText("labels", "folder: the label maps; labels unless written", func(d *Dataset) *string { return &d.Labels }),
	optionalText("classes", "folder: one class a line; classes.txt unless written",
		func(d *Dataset) *string { return &d.Classes }),
	optionalText("list", "folder: one id a line; all pictures unless written",
		func(d *Dataset) *string { return &d.List }),
	optionalText("image_suffix", "folder: what follows the id in names of pictures",
		func(d *Dataset) *string { return &d.ImageSuffix }),
	optionalText("label_suffix", "folder: what follows the id in names of label maps",
		func(d *Dataset) *string { return &d.LabelSuffix }),
	optional(key("ignore", "folder: stored value that is not scored; 255 and 65535 unless written",
		func(d *Dataset) *int { return &d.Ignore }, whole(1, 65535)),
		func(d *Dataset) bool { return d.Ignore == 0 }),
	optionalToggle("reduce_zero_label", "folder: stored 0 is not scored, stored k is class k-1",
		func(d *Dataset) *bool { return &d.ReduceZero }),
	optionalToggle("background", "folder: class 0 is everything else", func(d *Dataset) *bool { return &d.Background }),
}

func optionalText(name, doc string, in func(*Dataset) *string) field[Dataset] {
	return optional(key(name, doc, in, text(1000, false)), func(d *Dataset) bool { return *in(d) == "" })
}

func optionalToggle(name, doc string, in func(*Dataset) *bool) field[Dataset] {
	return optional(key(name, doc, in, toggle), func(d *Dataset) bool { return !*in(d) })
}

var (
	datasetName = named("data set", "datasets", func(k Known) []string { return k.Datasets })
	methodName  = named("method", "methods", func(k Known) []string { return slices.Sorted(maps.Keys(k.Methods)) })
	metricName  = named("metric", "metrics", func(k Known) []string {
		if k.Metrics == nil {
			return nil
		}
		return slices.Compact(slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(k.Metrics))...))))
	})
)

// named is a name out of those that of gives, if it gives any. topic is what `ovbench list` calls them.
func named(what, topic string, of func(Known) []string) kind[string] {
	k := text(80, false)
	word := k.read
	k.read = func(r *reader, n *yaml.Node, at string) (string, bool) {
		s, ok := word(r, n, at)
		if known := of(r.known); ok && known != nil && !slices.Contains(known, s) {
			r.fault(n, "%s %s %s (ovbench list %s)", what, quote(s), notKnown(s, known), topic)
			return "", false
		}
		return s, ok
	}
	return k
}

var modelFields = []field[Model]{
	key("name", "what folders and tables call it", func(m *Model) *string { return &m.Name }, text(80, false)),
	needed(key("model", "Hugging Face name or directory, .safetensors or .pt file, or demo",
		func(m *Model) *string { return &m.Path }, modelPath)),
}

var modelPath = text(1000, false)

// modelKind is a path, or a mapping with one.
var modelKind = kind[Model]{
	read: func(r *reader, n *yaml.Node, at string) (m Model, ok bool) {
		if n.Kind != yaml.MappingNode {
			m.Path, ok = modelPath.read(r, n, at)
			return m, ok
		}
		before := len(r.faults)
		readFields(r, n, at, &m, modelFields, true)
		return m, len(r.faults) == before
	},
	write: func(m Model) any {
		if m.Name == "" {
			return m.Path
		}
		return writeFields(&m, modelFields)
	},
	schema: func() object {
		return object{{"anyOf", []any{object{{"type", "string"}}, mapping(modelFields, true)}}}
	},
}

// datasetKind is a name, or a mapping with one.
var datasetKind = kind[Dataset]{
	read: func(r *reader, n *yaml.Node, at string) (Dataset, bool) {
		before := len(r.faults)
		var d Dataset
		if n.Kind == yaml.MappingNode {
			readFields(r, n, at, &d, datasetFields, true)
		} else {
			d.Name, _ = datasetName.read(r, n, at)
		}
		if known, ok := r.known.Queries[d.Name]; ok && d.Queries != "" && !IsFile(d.Queries) &&
			!slices.Contains(known, d.Queries) {
			p := r.places[join(at, "queries")]
			r.fault(&yaml.Node{Line: p.line, Column: p.column}, "%s: query set %s %s (ovbench list datasets)", d.Name,
				quote(d.Queries), notKnown(d.Queries, known))
		}
		return d, len(r.faults) == before
	},
	write: func(d Dataset) any { return writeFields(&d, datasetFields) },
	schema: func() object {
		return object{{"anyOf", []any{object{{"type", "string"}}, mapping(datasetFields, true)}}}
	},
}

const methodForms = "want a name, name:parameter=value, {method: {parameter: value}} or {name: label, method: name, " +
	"parameter: value}"

// methodKind is a bare name, kind:parameter=value, {kind: {parameters}}, or {name, method, parameters …}.
var methodKind = kind[Method]{
	read: func(r *reader, n *yaml.Node, at string) (Method, bool) {
		before := len(r.faults)
		var m Method
		parts := methodParts{kind: n}
		switch {
		case n.Kind != yaml.ScalarNode:
			parts = r.splitMethod(n, at)
		case strings.Contains(n.Value, ":"):
			parts = r.splitSpelling(n, at)
		}
		if parts.kind != nil {
			r.note(parts.kind, join(at, "method"))
			m.Kind, _ = methodName.read(r, parts.kind, join(at, "method"))
		}
		if parts.label != nil {
			r.note(parts.label, join(at, "name"))
			m.Name, _ = text(80, false).read(r, parts.label, join(at, "name"))
		}
		r.readParams(&m, parts.params, at)
		if m.Name == "" {
			m.Name = autoLabel(m)
		}
		return m, len(r.faults) == before
	},
	write: writeMethod,
	schema: func() object {
		return object{{"anyOf", []any{object{{"type", "string"}}, object{{"type", "object"}, {"minProperties", 1}}}}}
	},
}

// methodParts is where a method's label, kind and parameters are written; nil where they are not.
type methodParts struct {
	label, kind *yaml.Node
	params      []*yaml.Node // key, value, key, value …
}

// splitSpelling takes a method apart as flags spell it: name:parameter=value:parameter=value.
func (r *reader) splitSpelling(n *yaml.Node, at string) (m methodParts) {
	name, rest, _ := strings.Cut(n.Value, ":")
	place := func(n, like *yaml.Node) *yaml.Node {
		n.Line, n.Column = like.Line, like.Column
		return n
	}
	m.kind = place(scalar(name), n)
	for word := range strings.SplitSeq(rest, ":") {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			r.fault(n, "%s: %s is no parameter; write name:parameter=value", at, quote(word))
			continue
		}
		m.params = append(m.params, place(scalar(key), n), place(scalar(value), n))
	}
	return m
}

// splitMethod takes either form of mapping apart.
func (r *reader) splitMethod(n *yaml.Node, at string) (m methodParts) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		r.fault(n, "%s: %s, got %s", at, methodForms, describe(n))
		return m
	}
	rest := []*yaml.Node{}
	for name, value := range pairs(n) {
		switch {
		case name.Value == "name" && m.label == nil:
			m.label = value
		case name.Value == "method" && m.kind == nil:
			m.kind = value
		case name.Value == "name", name.Value == "method":
			r.fault(name, "%s is written twice; delete one", join(at, name.Value))
		default:
			rest = append(rest, name, value)
		}
	}
	if m.kind != nil {
		m.params = rest
		return m
	}
	if len(rest) != 2 {
		r.fault(n, "%s: %s", at, methodForms)
		return m
	}
	m.kind = rest[0]
	switch value := rest[1]; {
	case value.Kind == yaml.MappingNode:
		m.params = value.Content
	case !isNull(value):
		r.fault(value, "%s: want {parameter: value}, got %s", short(join(at, m.kind.Value)), describe(value))
	}
	return m
}

func (r *reader) readParams(m *Method, params []*yaml.Node, at string) {
	known, checked := r.known.Methods[m.Kind]
	for name, value := range pairs(&yaml.Node{Content: params}) {
		path := join(at, name.Value)
		_, twice := m.Params[name.Value]
		switch {
		case name.Value == "name" || name.Value == "method":
			r.fault(name, "%s: no parameter is called %s; write it beside the method", at, name.Value)
		case checked && len(known) == 0:
			r.fault(name, "%s has no parameters; delete %s (ovbench list methods)", m.Kind, quote(name.Value))
		case checked && !slices.Contains(known, name.Value):
			r.fault(name, "parameter %s of %s %s (ovbench list methods)", quote(name.Value), m.Kind, notKnown(name.Value, known))
		case twice:
			r.fault(name, "%s is written twice; delete one", short(path))
		default:
			r.note(value, path)
			if v, ok := r.param(value, path, true); ok {
				if m.Params == nil {
					m.Params = map[string]any{}
				}
				m.Params[name.Value] = v
			}
		}
	}
}

// param is a parameter as written: bool, int, float64, string, or if lists may be, a list of these.
func (r *reader) param(n *yaml.Node, at string, lists bool) (any, bool) {
	switch {
	case n.Kind == yaml.SequenceNode && lists:
		out := []any{}
		for i, c := range n.Content {
			if v, ok := r.param(c, fmt.Sprintf("%s[%d]", at, i), false); ok {
				out = append(out, v)
			}
		}
		return out, len(out) == len(n.Content)
	case n.Kind != yaml.ScalarNode:
		r.fault(n, "%s: want a number, a text, true or false, or a list of these, got %s", short(at), describe(n))
		return nil, false
	case isNull(n):
		r.fault(n, "%s has no value; write one or delete the line", short(at))
		return nil, false
	case !isPlain(n):
		return r.paramText(n, at)
	}
	switch tag := n.ShortTag(); {
	case tag == "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case tag == "!!int", tag == "!!float", realNumber.MatchString(n.Value):
		if wholeNumber.MatchString(n.Value) {
			if v, err := strconv.Atoi(n.Value); err == nil {
				return v, true
			}
		} else if v, ok := finite(n); ok {
			return v, true
		}
		r.fault(n, "%s: want a finite number in plain decimals, got %s; a text needs quotes", short(at), describe(n))
		return nil, false
	}
	return r.paramText(n, at)
}

func (r *reader) paramText(n *yaml.Node, at string) (any, bool) {
	if c, bad := unprintable(n.Value, false); bad {
		r.fault(n, "%s: character %U in %s; delete it", short(at), c, quote(n.Value))
		return nil, false
	}
	return n.Value, true
}

// autoLabel is what a method is called that has no name: its kind and parameters.
func autoLabel(m Method) string {
	words := []string{m.Kind}
	for _, name := range slices.Sorted(maps.Keys(m.Params)) {
		value := fmt.Sprint(m.Params[name])
		if f, ok := m.Params[name].(float64); ok {
			value = strconv.FormatFloat(f, 'g', -1, 64)
		}
		words = append(words, name+"="+value)
	}
	return strings.Join(words, " ")
}

func writeMethod(m Method) any {
	var o object
	if m.Name != autoLabel(m) {
		o = append(o, pair{"name", m.Name})
	}
	o = append(o, pair{"method", m.Kind})
	for _, name := range slices.Sorted(maps.Keys(m.Params)) {
		v := m.Params[name]
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v = fmt.Sprint(f) // never from a file; a text keeps JSON and YAML whole
		}
		o = append(o, pair{name, v})
	}
	return o
}
