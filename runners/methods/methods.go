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
	"reflect"
	"slices"
	"strings"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// Method reads patch tokens. Exported fields are the paper's parameters; methods are immutable once made.
type Method interface {
	// Positions is the interpolation of positional embeddings that the method's authors use.
	Positions() clip.Interpolation
	// Redundant is the feature surgery that belongs to the method's maps for a set of texts.
	Redundant() Redundant
	// Check says why the method cannot be built on m.
	Check(m *clip.Model) error
	// Tokens adds the method to g. pixels are [B, 3, H, W]; the result is [B, 1+N, E], the class token
	// first, projected, un-normalised.
	Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value
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
func New(name string, params map[string]any) (Method, error) {
	i := slices.IndexFunc(All, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("method %q is not known; known are %s (ovbench list methods)", name, strings.Join(Names(), ", "))
	}
	m := All[i].New()
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

// CLIP is the unchanged model: every token goes where the class token goes.
type CLIP struct{}

// Positions is bilinear, as in CLIP Surgery's code.
func (*CLIP) Positions() clip.Interpolation { return clip.Bilinear }

// Redundant is none: the maps are plain cosines.
func (*CLIP) Redundant() Redundant { return NoSurgery }

// Check accepts every model.
func (*CLIP) Check(*clip.Model) error { return nil }

// Tokens are those of the last block, or of a ResNet's attention pool queried by all tokens in place of the mean alone.
func (*CLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	if m.ResNet != nil {
		return m.ResNet.Project(g, pooled(g, m.ResNet, m.ResNet.Embed(g, pixels, p)))
	}
	v := m.Vision
	x := v.Embed(g, pixels, p)
	for i := range v.Depth() {
		x = v.Block(g, i, x)
	}
	return v.Project(g, x)
}
