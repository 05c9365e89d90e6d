// Package methods answers: how does each method read patches out of image towers, and how do similarities become maps?
//
// A [Method] says in its [Traits] what it needs and adds its part to a [Scene]: a graph that may hold others, whose
// common parts are computed once. What it gives is a [Reading]: tokens in the space of texts or scores, on a grid of
// its own, with or without a token of the whole picture, and perhaps a second graph behind a step in Go ([Stage]). To
// add one: a file with a struct, and a line in [All].
package methods

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ovbench/runners/vit"
)

// Method reads patches out of the towers of a scene. Exported fields are the paper's parameters; methods are immutable
// once made.
type Method interface {
	// Traits are what the method is apart from its graph.
	Traits() Traits
	// Check says why the method cannot be built on m, which has the backbones that it asks for.
	Check(m Models) error
	// Read adds the method to a graph. What other methods have added already is not computed again.
	Read(s *Scene) Reading
}

// Traits are what runs need to know of a method before there is a graph.
type Traits struct {
	Positions vit.Interpolation // how the method's authors read positional embeddings on other grids
	Surgery   FeatureSurgery    // that belongs to the maps of a set of texts; empty is none
	Texts     bool              // the reading depends on texts: without them there is none
	Explains  bool              // the same of chosen texts, each at the cost of a backward pass
	Together  bool              // a text's values depend on the texts beside it
	// Comparable says of a method that explains that the values of several texts may be compared at a patch: they are
	// linear in the text, as cosines are.
	Comparable bool
	Ending     Ending   // how values become maps; empty is [MinMaxResize]
	Backbones  []string // networks that the method reads beside the image-text model
	Regions    bool     // masks of regions, made elsewhere, are read beside pictures
	// PerDataset are the parameters that the authors chose for single data sets, others than those of [All], by data set
	// and name.
	PerDataset map[string]map[string]any
}

// Form is the feature surgery, by its name.
func (t Traits) Form() FeatureSurgery { return cmp.Or(t.Surgery, NoSurgery) }

// Entry is a method one can name.
type Entry struct {
	Name  string
	Doc   string // of methods that explain, with what they cost beside the forward pass of a ViT-B/16 at 224 px
	Paper string
	New   func() Method // with the paper's parameters; a pointer to a struct
}

// All lists the methods by name.
var All = []Entry{
	{"clip", "patch tokens of the unchanged model, through the last LayerNorm and projection",
		"Radford et al., arXiv 2103.00020", func() Method { return &CLIP{} }},
	{"clip_surgery", "value-value attention on a second path through the last blocks, without MLPs; on a ResNet: " +
		"released, intended or normalised", "Li et al., arXiv 2304.05653",
		func() Method { return &Surgery{Depth: 6, ResNet: Released} }},
	{"maskclip", "values of the last block instead of its attention", "Zhou et al., arXiv 2112.01071",
		func() Method { return &MaskCLIP{Residual: true} }},
	{"sclip", "query-query plus key-key attention in the last block", "Wang et al., arXiv 2312.01597",
		func() Method { return &SCLIP{Residual: true} }},
	{"clearclip", "query-query attention in the last block, without residual and MLP", "Lan et al., arXiv 2407.12442",
		func() Method { return &ClearCLIP{Attention: "qq", Layers: 1} }},
	{"naclip", "key-key attention with a pull to the neighbourhood in the last block, without residual and MLP",
		"Hajimiri et al., arXiv 2404.08181",
		func() Method { return &NACLIP{Attention: "naclip", Arch: "reduced", Sigma: 5} }},
	{"gem", "self-self attention of queries, keys and values, normalised and iterated, on a second path",
		"Bousselham et al., arXiv 2312.00878", func() Method { return &GEM{Depth: 6, Iterations: 1} }},
	{"sc_clip", "outlying patches repaired, tokens averaged and attended to by the likeness that earlier blocks see",
		"Bai et al., arXiv 2411.15869", func() Method {
			return &SCCLIP{Neighbors: 30, Contamination: 0.05, Beta: 0.4, Pre: 9, Post: 4, From: 4, To: 10, Class: 0.3}
		}},
	{"sfp", "patches that the class token looks at replaced, tokens averaged by likeness, attention of three kinds in " +
		"the last block", "Jin et al., ICCV 2025 (Feature Purification Matters)", func() Method {
		return &SFP{Beta: 0.4, Ratio: 1.5, Outlier: 10, Pre: 9, Post: 4, From: 4, To: 10, Class: 0.3}
	}},
	{"lposs", "MaskCLIP's patches spread over those of all windows that a second network takes to be alike",
		"Stojnić et al., arXiv 2503.19777", func() Method {
			return &LPOSS{Neighbours: 400, Gamma: 3, Sigma: 0.01, Alpha: 0.95, Steps: 10}
		}},
	{"lposs_plus", "lposs, whose stitched maps are then spread over pixels of like colours",
		"Stojnić et al., arXiv 2503.19777", func() Method {
			return &LPOSSPlus{Neighbours: 400, Gamma: 3, Sigma: 0.01, Alpha: 0.95, Steps: 10, Reach: 6, Tau: 0.01}
		}},
	{"corrclip", "attention within regions that another program found, of blocks below too, and a class token a region",
		"Zhang et al., arXiv 2411.10086", func() Method {
			return &CorrCLIP{Tau: 4, Merge: 0.2, Spatial: 1, Semantic: 0.5, Regions: true}
		}},
	{"proxyclip", "attention of a second network's patches over the last block's values, on that network's grid",
		"Lan et al., arXiv 2408.04883", func() Method { return &ProxyCLIP{Beta: 1.2, Gamma: 3} }},
	{"trident", "proxyclip's windows spliced, and correlated by the attention of Segment Anything's image encoder; " +
		"the protocol refines by prompts (sam_refine)", "Shi et al., arXiv 2411.09219", func() Method {
		return &Trident{Beta: 1.2, Gamma: 3, Cos: 1.2, Negative: true, Enlarge: true, Parts: 1}
	}},
	{"resclip", "attention of middle blocks added to the last one's, then steered by a first segmentation",
		"Yang et al., arXiv 2411.15851", func() Method {
			return &ResCLIP{Base: "naclip", Sigma: 5, From: 6, To: 9, Tau: 2, Lambda: 0.3, SFR: true, SFRTau: 2.2,
				SFRLambda: 0.7, Threshold: 0.5, Scale: 40, Split: true}
		}},
	{"raw_attention", "attention of the class token in the last block, whatever the text; costs nothing",
		"Radford et al., arXiv 2103.00020", func() Method { return &RawAttention{Heads: "reference"} }},
	{"rollout", "product of all blocks' attention matrices, whatever the text; costs all blocks' attention once more",
		"Abnar and Zuidema, arXiv 2005.00928", func() Method { return &Rollout{Normalised: true} }},
	{"chefer", "attention times its gradient, block by block (bi-modal, GAME, HilaCAM); costs a thousandth of a forward " +
		"pass a text, with all blocks about one", "Chefer et al., arXiv 2103.15679",
		func() Method { return &Chefer{Blocks: "1", Target: logitTarget} }},
	{"gradcam", "channels weighted by the mean of their gradients, at one of several layers; costs a thousandth of a " +
		"forward pass a text", "Selvaraju et al., arXiv 1610.02391", func() Method {
		return &GradCAM{Layer: "ln1", Target: cosineTarget, Heads: "reference"}
	}},
	{"grad_eclip", "values of the last block weighted by their gradient and by a loosened attention; costs a thousandth " +
		"of a forward pass a text", "Zhao et al., arXiv 2502.18816", func() Method {
		return &GradECLIP{QK: "projected", KSim: true, Heads: "reference"}
	}},
	{"legrad", "positive gradients by the attention of the last blocks, each with a score of its own; costs a " +
		"fourteenth of a forward pass a text", "Bousselham et al., arXiv 2404.03214",
		func() Method { return &LeGrad{Blocks: "2"} }},
	{"gscorecam", "channels weighted by what the model says of the picture behind them; costs a forward pass a channel",
		"Chen et al., ACCV 2022; Score-CAM is arXiv 1910.01279", func() Method { return &GScoreCAM{K: 300} }},
	{"clip_es", "Grad-CAM where the image is read from its patches, by the text's probability among the others; costs a " +
		"twelfth of a forward pass a text", "Lin et al., arXiv 2212.09506", func() Method { return &CLIPES{} }},
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
		return nil, fmt.Errorf("method %q is not known; known are %s (ovbench list methods)", name,
			strings.Join(Names(), ", "))
	}
	m := All[i].New()
	if own := m.Traits().PerDataset[dataset]; own != nil {
		own = maps.Clone(own)
		maps.Copy(own, params)
		params = own
	}
	data, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("method %s: %s; its parameters are %s", name, paramFault(err, params), describe(m))
	}
	return m, nil
}

// paramFault words an error of decoding params for people, who know nothing of Go's types.
func paramFault(err error, params map[string]any) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	want := "a word"
	switch kind := wrong.Type.Kind(); {
	case kind == reflect.Bool:
		want = "true or false"
	case kind >= reflect.Int && kind <= reflect.Uint64:
		want = "a whole number"
	case kind == reflect.Float32 || kind == reflect.Float64:
		want = "a number"
	case kind == reflect.Slice:
		want = "a list"
	}
	_, key, _ := strings.Cut("."+wrong.Field, ".")
	given, ok := params[key]
	if !ok {
		return fmt.Sprintf("%s is given where %s belongs", wrong.Value, want)
	}
	if text, ok := given.(string); ok {
		given = fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%s is %v, want %s", key, given, want)
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

// Params are the parameters of m with their values. One that may be left out and is left out is none.
func Params(m Method) map[string]any {
	out := params(m)
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out
}

// params are all parameters of m; nil is left out.
func params(m Method) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if out[name] = v.Field(i).Interface(); option == "omitempty" && v.Field(i).IsZero() {
			out[name] = nil
		}
	}
	return out
}

// ParamNames are the parameters of the method called name, sorted.
func ParamNames(name string) []string {
	var out []string
	if i := slices.IndexFunc(All, func(e Entry) bool { return e.Name == name }); i >= 0 {
		for k := range params(All[i].New()) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func describe(m Method) string {
	var parts []string
	for k, v := range params(m) {
		if v == nil {
			parts = append(parts, k)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s (%v)", k, v))
	}
	if len(parts) == 0 {
		return "none"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
