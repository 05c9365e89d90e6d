// Package methods answers: how does each method read patch tokens out of a CLIP image tower, and
// how does it turn similarities into maps?
//
// A method adds its part to a graph that may hold others; what they have in common is computed once.
// To add one: a file with a struct, and a line in [All].
package methods

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Method reads patch tokens. Exported fields are the paper's parameters; methods are immutable once made.
type Method interface {
	// Positions is the interpolation of positional embeddings that the method's authors use on a ViT, see [Positions].
	Positions() clip.Interpolation
	// Redundant is the feature surgery that belongs to the method's maps for a set of texts.
	Redundant() Redundant
	// Check says why the method cannot be built on m.
	Check(m *clip.Model) error
	// Tokens adds the method to g. pixels are [B, 3, H, W]; the result is [B, 1+N, E], the class token
	// first, projected, un-normalised.
	Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value
}

// Staged is a Method that may take two graphs with a step in Go between them, because what the first one says of the texts
// steers the second. Its Tokens are then those of the first pass alone.
type Staged interface {
	// Staged reports whether the method's parameters ask for the second graph.
	Staged() bool
	// First adds the first graph: tokens as those of Tokens, and what the second graph takes up, each [B, 1+N, W].
	First(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) (tokens onnx.Value, kept []onnx.Value)
	// Between turns pixels [B, 3, H, W] and the first tokens' cosines with the texts [B, 1+N, T] into a bias of attention logits
	// [B, 1, 1+N, 1+N].
	Between(m *clip.Model, pixels, cosines tensor.Dense) tensor.Dense
	// Second adds the second graph. Its result is that of the method, as from Tokens.
	Second(g *onnx.Graph, m *clip.Model, kept []onnx.Value, bias onnx.Value) onnx.Value
}

// StagedOf is m as a method of two graphs, if its parameters ask for them.
func StagedOf(m Method) (s Staged, ok bool) {
	s, ok = m.(Staged)
	return s, ok && s.Staged()
}

// Fitted is a Method with values that its authors chose for single data sets.
type Fitted interface {
	// On are the parameters that are others on a data set than those of [All], by name; nil where there are none.
	On(dataset string) map[string]any
}

// Positions is the interpolation of positional embeddings that the authors of m use on a model. The attention pools of
// ResNets are bilinear in all code there is.
func Positions(m Method, on *clip.Model) clip.Interpolation {
	if on.ResNet != nil {
		return clip.Bilinear
	}
	return m.Positions()
}

// Entry is a method one can name.
type Entry struct {
	Name  string
	Doc   string
	Paper string
	New   func() Method // with the paper's parameters; a pointer to a struct
}

// All lists the methods by name.
var All = []Entry{
	{"clip", "patch tokens of the unchanged model, through the last LayerNorm and projection", "Radford et al., arXiv 2103.00020", func() Method { return &CLIP{} }},
	{"clip_surgery", "value-value attention on a second path through the last blocks, without MLPs", "Li et al., arXiv 2304.05653", func() Method { return &Surgery{Depth: 6, ResNet: Released} }},
	{"maskclip", "values of the last block instead of its attention", "Zhou et al., arXiv 2112.01071", func() Method { return &MaskCLIP{Residual: true} }},
	{"sclip", "query-query plus key-key attention in the last block", "Wang et al., arXiv 2312.01597", func() Method { return &SCLIP{Residual: true} }},
	{"clearclip", "query-query attention in the last block, without residual and MLP", "Lan et al., arXiv 2407.12442", func() Method { return &ClearCLIP{Attention: "qq", Layers: 1} }},
	{"naclip", "key-key attention with a pull to the neighbourhood in the last block, without residual and MLP", "Hajimiri et al., arXiv 2404.08181", func() Method { return &NACLIP{Attention: "naclip", Arch: "reduced", Sigma: 5} }},
	{"gem", "self-self attention of queries, keys and values, normalised and iterated, on a second path", "Bousselham et al., arXiv 2312.00878", func() Method { return &GEM{Depth: 6, Iterations: 1} }},
	{"sc_clip", "outlying patches repaired, tokens averaged and attended to by the likeness that earlier blocks see", "Bai et al., arXiv 2411.15869", func() Method {
		return &SCCLIP{Neighbors: 30, Contamination: 0.05, Beta: 0.4, Pre: 9, Post: 4, From: 4, To: 10, Class: 0.3}
	}},
	{"resclip", "attention of middle blocks added to the last one's, then steered by a first segmentation", "Yang et al., arXiv 2411.15851", func() Method {
		return &ResCLIP{Base: "naclip", Sigma: 5, From: 6, To: 9, Tau: 2, Lambda: 0.3, SFR: true, SFRTau: 2.2, SFRLambda: 0.7, Threshold: 0.5, Scale: 40, Split: true}
	}},
}

// Names are the names of All.
func Names() []string {
	names := make([]string, len(All))
	for i, e := range All {
		names[i] = e.Name
	}
	return names
}

// New makes a method with params over the paper's values. Keys are the fields' names in lower case.
func New(name string, params map[string]any) (Method, error) { return NewOn("", name, params) }

// NewOn is New with what the authors chose for a data set, if they did, between the paper's values and params.
func NewOn(dataset, name string, params map[string]any) (Method, error) {
	i := slices.IndexFunc(All, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("method %q is not known; known are %s (ovbench list methods)", name, strings.Join(Names(), ", "))
	}
	m := All[i].New()
	if f, ok := m.(Fitted); ok {
		all := maps.Clone(f.On(dataset))
		if all == nil {
			all = map[string]any{}
		}
		maps.Copy(all, params)
		params = all
	}
	data, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("method %s: %s; its parameters are %s", name, strings.TrimPrefix(err.Error(), "json: "), describe(m))
	}
	return m, nil
}

// Parse makes a method from a name and parameters as flags spell them, such as naclip:attn=kk:sigma=3.
func Parse(s string) (Method, error) {
	name, rest, given := strings.Cut(s, ":")
	params := map[string]any{}
	for given {
		var pair string
		pair, rest, given = strings.Cut(rest, ":")
		key, text, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("method %q: %q is no parameter; write name:key=value:key=value", s, pair)
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil { // a word, neither number nor true or false
			value = text
		}
		params[key] = value
	}
	return New(name, params)
}

// Params are the parameters of m with their values.
func Params(m Method) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		out[v.Type().Field(i).Tag.Get("json")] = v.Field(i).Interface()
	}
	return out
}

// ParamNames are the parameters of the method called name, sorted.
func ParamNames(name string) []string {
	var out []string
	if i := slices.IndexFunc(All, func(e Entry) bool { return e.Name == name }); i >= 0 {
		for k := range Params(All[i].New()) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func describe(m Method) string {
	var parts []string
	for k, v := range Params(m) {
		parts = append(parts, fmt.Sprintf("%s (%v)", k, v))
	}
	if len(parts) == 0 {
		return "none"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
