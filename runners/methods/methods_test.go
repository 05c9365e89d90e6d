package methods

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners/clip"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// model is an image-text model of nothing but an image tower.
type model struct{ encoder vit.Encoder }

func (model) Source() string         { return "somewhere" }
func (model) Name() string           { return "some model" }
func (model) Space() int             { return 8 }
func (m model) Encoder() vit.Encoder { return m.encoder }
func (model) CosineScale() float64   { return 100 }

// Every method says what it is, has parameters with names, takes its own values back, and names what it does not know.
func TestAll(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range All {
		if e.Name == "" || e.Doc == "" || !strings.Contains(e.Paper, "arXiv") && !strings.Contains(e.Paper, "20") ||
			seen[e.Name] {
			t.Errorf("entry %+v is incomplete, or there twice", e)
		}
		seen[e.Name] = true
		params := Params(e.New())
		again, err := New(e.Name, params)
		if err != nil {
			t.Errorf("%s does not take its own values: %v", e.Name, err)
			continue
		}
		if diff := cmp.Diff(e.New(), again); diff != "" {
			t.Errorf("%s is another with its own values (-want +got)\n%s", e.Name, diff)
		}
		for name := range params {
			if name == "" || name != strings.ToLower(name) {
				t.Errorf("%s: parameter %q is no name for a suite", e.Name, name)
			}
		}
		if _, err := New(e.Name, map[string]any{"nonsense": 1}); err == nil ||
			!strings.Contains(err.Error(), "its parameters are") {
			t.Errorf("%s with a parameter it lacks: error %v", e.Name, err)
		}
		if err := e.New().Check(Models{ImageText: model{}}); (err == nil) != (e.Name == "clip") {
			t.Errorf("%s: a model without blocks: %v", e.Name, err)
		}
		if p := e.New().Traits().Positions; !slices.Contains(vit.Interpolations, p) {
			t.Errorf("%s: positions %q", e.Name, p)
		}
	}
}

// Parameters out of range are refused with the method's name and what would fit.
func TestCheck(t *testing.T) {
	m := Models{ImageText: model{&clip.ViT{Tower: vit.Tower{Patch: 16, Class: tensor.New(1),
		Transformer: vit.Transformer{Blocks: make([]vit.Block, 12)}}}}}
	for _, c := range []struct{ name, params, want string }{
		{"clip_surgery", `{"depth": 13}`, "clip_surgery: depth 13 is out of range"},
		{"clip_surgery", `{"depth": 0}`, "clip_surgery: depth 0 is out of range"},
		{"clearclip", `{"attn": "kq"}`, `clearclip: attn "kq" is not known; known are qk, qq, kk, vv, qq+kk, identity`},
		{"clearclip", `{"last_n_layers": 13}`, "clearclip: last_n_layers 13 is out of range"},
		{"naclip", `{"attn": "clip"}`, `naclip: attn "clip" is not known`},
		{"naclip", `{"arch": "full"}`, `naclip: arch "full" is not known; known are reduced, vanilla`},
		{"naclip", `{"sigma": 0}`, "naclip: sigma 0 is out of range"},
		{"gem", `{"iterations": -1}`, "gem: iterations -1 are out of range"},
		{"gem", `{"temperature": -1}`, "gem: temperature -1 is out of range"},
		{"gem", `{"depth": 20}`, "gem: depth 20 is out of range"},
		{"sc_clip", `{"pre": 12}`, "sc_clip: pre is block 12: "},
		{"sc_clip", `{"multi_from": 5, "multi_to": 4}`, "sc_clip: multi_from 5 is behind multi_to 4"},
		{"sc_clip", `{"contamination": 1}`, "is out of range"},
		{"resclip", `{"to": 12}`, "resclip: blocks from 6 to 12 are out of range"},
		{"resclip", `{"temp_thd": 1}`, "resclip: temp_thd 1 is no probability below 1"},
		{"resclip", `{"scale": 0}`, "resclip: scale 0 is not positive"},
		{"resclip", `{"base": "gem"}`, `resclip: base "gem" is not known`},
	} {
		var params map[string]any
		if err := json.Unmarshal([]byte(c.params), &params); err != nil {
			t.Fatal(err)
		}
		method, err := New(c.name, params)
		if err != nil {
			t.Fatal(err)
		}
		if err := method.Check(m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want %q", c.name, c.params, err, c.want)
		}
		if method, err = New(c.name, nil); err != nil || method.Check(m) != nil {
			t.Errorf("%s: the paper's values do not fit a model of 12 blocks", c.name)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("naclip:attn=kk:sigma=2.5:arch=vanilla")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Method(&NACLIP{Attention: "kk", Arch: "vanilla", Sigma: 2.5}), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, err = Parse("maskclip:residual=false"); err != nil || got.(*MaskCLIP).Residual {
		t.Errorf("maskclip:residual=false is %+v, %v", got, err)
	}
	for s, want := range map[string]string{
		"naclip:":            "write name:key=value",
		"naclip:attn":        `"attn" is no parameter`,
		"nowhere:a=1":        `method "nowhere" is not known`,
		"naclip:sigma=wide":  "method naclip: ",
		"naclip:deviation=1": "its parameters are arch (reduced)",
	} {
		if _, err := Parse(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", s, err, want)
		}
	}
}

// What authors chose for a data set lies between the paper's values and those that are written.
func TestFitted(t *testing.T) {
	get := func(dataset string, params map[string]any) [3]any {
		t.Helper()
		m, err := NewOn(dataset, "resclip", params)
		if err != nil {
			t.Fatal(err)
		}
		p := Params(m)
		return [3]any{p["temp_thd"], p["rcs_lambda"], p["sfr_tau"]}
	}
	written := map[string]any{"rcs_lambda": 0.9}
	for _, c := range []struct {
		dataset string
		params  map[string]any
		want    [3]any
	}{
		{"", nil, [3]any{0.5, 0.3, 2.2}}, {"voc21", nil, [3]any{0.5, 0.3, 2.2}}, {"camvid", nil, [3]any{0.5, 0.3, 2.2}},
		{"context59", nil, [3]any{0.25, 0.4, 1.8}}, {"context59", written, [3]any{0.25, 0.9, 1.8}},
		{"cityscapes", nil, [3]any{0.1, 0.2, 2.1}},
	} {
		if got := get(c.dataset, c.params); got != c.want {
			t.Errorf("on %q with %v: %v, want %v", c.dataset, c.params, got, c.want)
		}
	}
	if len(written) != 1 {
		t.Errorf("the caller's parameters became %v", written)
	}
}
