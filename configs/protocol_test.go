package configs

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rules of CLIP Surgery's segmentation: arXiv 2304.05653, table 6, with the authors' answers to the issues
// 8, 17, 22, 25 and 32 of their repository.
func TestClipSurgeryProtocol(t *testing.T) {
	want := Protocol{
		Name: "clip-surgery", Resize: "squash", Size: Size{512, 512}, Filter: "bicubic", Mean: "clip", Pad: "none",
		Positions: "bilinear", Templates: "surgery85",
		Queries: "plain", Redundant: "reference", Scale: 100, Threshold: 0, DecodeResize: "bilinear", Convention: "mmseg",
	}
	got, ok := builtin("clip-surgery")
	if d := cmp.Diff(want, got); !ok || d != "" {
		t.Error(ok, d)
	}
	list := Protocols()
	list[0].Name = "changed"
	if Protocols()[0].Name == "changed" {
		t.Error("Protocols hands out its own list")
	}
}

// Expected: Python 3.11,
//
//	hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
//
// over the eighteen fields as text, such as "size": "512x512", "scale": "100".
func TestProtocolFingerprint(t *testing.T) {
	p, _ := builtin("clip-surgery")
	if got, want := p.Fingerprint(), "b78cfdfadd8510e016b6caf3e81d1b0b0446cec70453487b750a895b22c88e37"; got != want {
		t.Errorf("clip-surgery: %s, want %s", got, want)
	}
	p.Size, p.Threshold, p.Templates = Size{224, 336}, 0.1, "a & b/é.txt"
	if got, want := p.Fingerprint(), "68563fbad150b07c5048d5ea20ba86f09b6322f5cc480b23d9ca1ca0970d63b7"; got != want {
		t.Errorf("changed: %s, want %s", got, want)
	}
}

// What stands for itself is as what is written.
func TestUsualPoints(t *testing.T) {
	p, _ := builtin("clip-surgery")
	written := p
	written.PointThreshold, written.PointShrink, written.MapThreshold = DefaultPointThreshold, DefaultPointShrink,
		DefaultMapThreshold
	if p.Fingerprint() != written.Fingerprint() || written.String() != "clip-surgery" {
		t.Errorf("%s is another protocol", written)
	}
}

// Each field of Protocol but the name is seen by Fields, Fingerprint, Diff and String.
func TestEveryFieldCounts(t *testing.T) {
	base, _ := builtin("sclip") // where every field has an effect
	base.Departures, base.Long = nil, 0
	fields := reflect.TypeFor[Protocol]()
	// neither the name, nor departures, a multiple, an ending and a decision of its own, which it has not, and of points
	// the usual ones
	if got, want := len(base.Fields()), fields.NumField()-15; got != want {
		t.Errorf("%d fields, want %d", got, want)
	}
	for i := range fields.NumField() {
		p := base
		switch v := reflect.ValueOf(&p).Elem().Field(i).Addr().Interface().(type) {
		case *string:
			*v = "other"
		case *float64:
			*v = 0.125
		case *Size:
			v.W = 17
		case *int:
			*v = 7
		case *[]Departure:
			*v = []Departure{{"voc21", []string{"scale"}, Protocol{Scale: 7}}}
		default:
			t.Fatalf("%s: no case for %T", fields.Field(i).Name, v)
		}
		name := fields.Field(i).Name == "Name"
		if same := p.Fingerprint() == base.Fingerprint(); same != name {
			t.Errorf("%s: equal fingerprints %v", fields.Field(i).Name, same)
		}
		if n := len(differences(base, p)); n != map[bool]int{true: 0, false: 1}[name] {
			t.Errorf("%s: %d differences", fields.Field(i).Name, n)
		}
		if s := p.String(); strings.Contains(s, "(") == name {
			t.Errorf("%s: %s", fields.Field(i).Name, s)
		}
	}
}

func TestProtocolWords(t *testing.T) {
	a, _ := builtin("clip-surgery")
	b := a
	b.Size, b.Scale = Size{224, 336}, 40
	if got, want := differences(a, b), []difference{{"size", "512x512", "224x336"},
		{"scale", "100", "40"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
	if got := differences(a, a); got != nil {
		t.Errorf("equal protocols differ in %q", got)
	}
	if got, want := a.String(), "clip-surgery"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := b.String(), "clip-surgery (size=224x336, scale=40)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	b.Name = "mine"
	if got, want := b.String(), "mine"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSummary(t *testing.T) {
	for name, want := range map[string]string{
		"clip-surgery": "squash 512x512, templates surgery85, queries plain",
		"naclip": "short side 336, windows of 224 at stride 112, templates openai80, queries sclip, refined by " +
			"colours; departs from this on voc21, voc20, context60, coco_object, cityscapes",
	} {
		if p, _ := builtin(name); p.Summary() != want {
			t.Errorf("%s: %s, want %s", name, p.Summary(), want)
		}
	}
	p, _ := builtin("sclip")
	if got, want := p.On("voc21").Summary(), "short side 336, windows of 224 at stride 112, templates openai80, queries "+
		"sclip, threshold 0.1 at scale 65"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestProtocolOf(t *testing.T) {
	s := mustParse(t, "datasets: [voc20, {name: voc21, queries: sclip}]\nmethods: [clip]\nprotocol: clip-surgery\n")
	if got := s.ProtocolOf(s.Datasets[0]); !reflect.DeepEqual(got, s.Protocol) {
		t.Errorf("%v, want the suite's", got)
	}
	if got, want := s.ProtocolOf(s.Datasets[1]).String(), "clip-surgery (queries=sclip)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A protocol written whole, base last, and by name are one.
func TestProtocolForms(t *testing.T) {
	const head = "datasets: [voc20]\nmethods: [clip]\nprotocol: "
	want, _ := builtin("clip-surgery")
	want.Size = Size{64, 64}
	for _, form := range []string{
		"{base: clip-surgery, size: 64}", "{size: 64, base: clip-surgery}", "{base: clip-surgery, size: 64x64}",
		"{name: clip-surgery, resize: squash, size: 64, long: 0, filter: bicubic, mean: clip, window: 0, stride: 0, pad: " +
			"none, positions: bilinear, templates: surgery85, queries: plain, redundant: reference, scale: 1e2, threshold: " +
			"-0.0, area_threshold: 0, pamr: 0, decode_resize: bilinear, convention: mmseg}",
	} {
		if got := mustParse(t, head+form).Protocol; !reflect.DeepEqual(got, want) || got.Fingerprint() != want.Fingerprint() {
			t.Errorf("%s: %+v", form, got)
		}
	}
}

// Constants of the published configurations (SCLIP, NACLIP, ClearCLIP, ProxyCLIP, SC-CLIP, LPOSS: cfg_*.py; MaskCLIP's
// as its paper's supplement has them).
func TestPublishedConstants(t *testing.T) {
	for _, c := range []struct{ protocol, dataset, want string }{
		{"sclip", "voc21", "336 224/112 none 65 0.1 0.1 0 sclip"}, {"sclip", "voc20", "336 224/112 none 40 0 0 0 sclip"},
		{"sclip", "context60", "336 224/112 none 50 0.1 0 0 sclip"},
		{"sclip", "context59", "336 224/112 none 40 0 0 0 sclip"},
		{"sclip", "coco_object", "336 224/112 none 50 0.1 0 0 sclip"},
		{"sclip", "coco_stuff", "448 224/112 none 40 0 0 0 sclip"},
		{"sclip", "cityscapes", "560 224/112 none 40 0 0 0 sclip"}, {"sclip", "ade20k", "336 224/112 none 40 0 0 0 sclip"},
		{"naclip", "voc21", "336 0/0 none 40 0.1 0 10 sclip"}, {"naclip", "voc20", "336 0/0 none 40 0 0 10 sclip"},
		{"naclip", "context60", "336 224/112 none 40 0.1 0 10 sclip"}, {"naclip", "coco_object",
			"336 224/112 none 40 0.1 0 10 sclip"},
		{"naclip", "coco_stuff", "336 224/112 none 40 0 0 10 sclip"},
		{"naclip", "cityscapes", "560 224/112 none 40 0 0 10 sclip"},
		{"clearclip", "voc21", "448 448/224 patch 50 0.5 0 0 clearclip"}, {"clearclip", "context60",
			"448 448/224 patch 50 0.15 0 0 clearclip"},
		{"clearclip", "coco_object", "448 448/224 patch 50 0.4 0 0 clearclip"}, {"clearclip", "cityscapes",
			"448 224/224 patch 50 0 0 0 sclip"},
		{"clearclip", "ade20k", "448 448/224 patch 50 0 0 0 sclip"}, {"maskclip", "context59",
			"520 0/0 corner 100 0 0 0 plain"},
		{"lposs", "voc21", "448 224/112 none 100 0 0 0 proxyclip"},
		{"lposs", "cityscapes", "448 224/112 none 100 0 0 0 sclip"},
		{"proxyclip", "voc21", "336 336/112 patch 40 0.2 0 0 proxyclip"}, {"proxyclip", "context60",
			"336 336/112 patch 40 0.15 0 0 proxyclip"},
		{"proxyclip", "coco_object", "336 336/112 patch 40 0.25 0 0 proxyclip"}, {"proxyclip", "cityscapes",
			"448 224/112 patch 40 0 0 0 sclip"},
		{"proxyclip", "ade20k", "448 336/112 patch 40 0 0 0 sclip"},
		{"corrclip", "voc21", "336 336/112 patch 40 0.2 0 0 corrclip"},
		{"corrclip", "context60", "336 336/112 patch 40 0.15 0 0 corrclip"},
		{"corrclip", "coco_stuff", "336 336/112 patch 40 0 0 0 corrclip"},
		{"corrclip", "cityscapes", "448 224/112 patch 40 0 0 0 corrclip"},
		{"trident", "voc21", "448 336/224 patch 40 0.2 0 0 proxyclip"},
		{"trident", "voc20", "336 336/112 patch 40 0 0 0 proxyclip"},
		{"trident", "context60", "576 336/224 patch 40 0.15 0 0 proxyclip"},
		{"trident", "coco_object", "448 336/224 patch 40 0.25 0 0 proxyclip"},
		{"trident", "cityscapes", "688 336/224 patch 40 0 0 0 sclip"},
		{"trident", "ade20k", "576 336/224 patch 40 0 0 0 sclip"},
		{"sc-clip", "voc21", "336 224/112 none 50 0.15 0.1 0 sclip"},
		{"sc-clip", "coco_object", "336 224/112 none 55 0.35 0 0 sclip"}, {"sc-clip", "cityscapes",
			"560 224/112 none 40 0 0 0 sclip"},
	} {
		whole, ok := builtin(c.protocol)
		p := whole.On(c.dataset)
		f := map[string]string{}
		for _, x := range p.Fields() {
			f[x.Key] = x.Value
		}
		got := fmt.Sprintf("%d %s/%s %s %s %s %s %s %s", p.Size.H, f["window"], f["stride"], f["pad"], f["scale"],
			f["threshold"], f["area_threshold"], f["pamr"], f["queries"])
		if !ok || got != c.want {
			t.Errorf("%s on %s: %s, want %s", c.protocol, c.dataset, got, c.want)
		}
	}
	plain, _ := builtin("trident")
	refined, _ := builtin("trident-refined")
	for dataset, want := range map[string]float64{"voc21": 0.2, "voc20": 0.2, "context60": 0.15, "context59": 0.15,
		"coco_object": 0.25, "coco_stuff": 0.05, "cityscapes": 0.1, "ade20k": 0.05} {
		p := refined.On(dataset)
		if p.SAMRefine != want {
			t.Errorf("trident-refined on %s: %v, want %v", dataset, p.SAMRefine, want)
		}
		if p.SAMRefine = 0; p.Fingerprint() != plain.On(dataset).Fingerprint() {
			t.Errorf("trident-refined on %s is not trident and the refinement", dataset)
		}
	}
}

// What is written for all data sets goes before what the base says of one, and a suite's own word on one before both.
func TestDepartures(t *testing.T) {
	const head = "datasets: [voc20, voc21]\nmethods: [clip]\nprotocol: "
	on := func(s *Suite, dataset string) string {
		p := s.Protocol.On(dataset)
		return fmt.Sprint(p.Scale, " ", p.Threshold, " ", p.AreaThreshold)
	}
	s, err := Parse("suite.yaml", []byte(head+"{base: sclip, datasets: {voc21: {threshold: 0.2}}, scale: 30}\n"), Known{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := on(s, "voc21"), on(s, "voc20"); a != "30 0.2 0.1" || b != "30 0 0" {
		t.Errorf("voc21 %s, voc20 %s", a, b)
	}
	whole, _ := builtin("sclip")
	if p := whole.On("voc21"); p.Scale != 65 || p.Threshold != 0.1 || whole.On("coco_stuff").Size.H != 448 {
		t.Errorf("a suite changed the built-in protocol: %+v", p)
	}
	if got, want := s.Protocol.String(), "sclip (scale=30, datasets=voc21: threshold=0.2 area_threshold=0.1; context60: "+
		"threshold=0.1; coco_object: threshold=0.1; coco_stuff: size=448x448; cityscapes: size=560x560)"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, kv := range [][2]string{{"protocol.threshold", "0.3"}, {"protocol.datasets.voc20.scale", "10"},
		{"protocol.datasets.voc21.area_threshold", ""}} {
		if err := s.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := on(s, "voc21"), on(s, "voc20"); a != "30 0.3 0" || b != "10 0.3 0" {
		t.Errorf("after --set: voc21 %s, voc20 %s", a, b)
	}
}

// Protocols that hold alike on a data set have equal fingerprints there, whatever they say of others.
func TestFingerprintOn(t *testing.T) {
	a, _ := builtin("sclip")
	b := a
	b.depart("voc21", Departure{Keys: []string{"scale"}, Values: Protocol{Scale: 1}})
	if a.Fingerprint() == b.Fingerprint() || a.On("voc21").Fingerprint() == b.On("voc21").Fingerprint() {
		t.Error("a departure leaves the fingerprint")
	}
	if a.On("voc20").Fingerprint() != b.On("voc20").Fingerprint() {
		t.Error("a departure on voc21 changes the fingerprint on voc20")
	}
	c := a.On("voc20")
	c.Window, c.Resize = 0, "squash"
	d := c
	d.Stride, d.Long = 3, 4
	if c.Fingerprint() != d.Fingerprint() {
		t.Error("a stride without windows, or a limit that squash ignores, changes the fingerprint")
	}
}

// Every key that is read is in the schema with words, and none more.
func TestSchema(t *testing.T) {
	type mapping struct {
		Properties map[string]struct {
			Description string
			Items       struct{ AnyOf []json.RawMessage }
			AnyOf       []json.RawMessage
		}
		Required             []string
		AdditionalProperties *bool
	}
	var suite, dataset, protocol mapping
	if err := json.Unmarshal(Schema(), &suite); err != nil {
		t.Fatal(err)
	}
	for part, into := range map[*json.RawMessage]*mapping{
		&suite.Properties["datasets"].Items.AnyOf[1]: &dataset, &suite.Properties["protocol"].AnyOf[1]: &protocol,
	} {
		if err := json.Unmarshal(*part, into); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		m        mapping
		keys     []string
		required []string
	}{
		{"suite", suite, []string{"name", "title", "doc", "model", "models", "backbones", "segmenter", "task", "datasets",
			"methods", "grow", "protocol", "metrics", "panels", "seed", "resamples"}, []string{"datasets", "methods", "protocol"}},
		{"dataset", dataset, []string{"name", "id", "title", "root", "split", "queries", "experts", "limit", "label_names",
			"labelled_only", "apply_exif", "regions", "images", "labels", "classes", "list", "image_suffix", "label_suffix", "ignore",
			"reduce_zero_label", "background"}, []string{"name"}},
		{"protocol", protocol, []string{"base", "name", "resize", "size", "long", "multiple", "filter", "mean", "window",
			"stride", "pad", "positions", "templates", "queries", "redundant", "scale", "threshold", "area_threshold",
			"background_rule", "aliases", "alias_tau", "alias_temperature", "vocabulary", "experts", "pamr", "sam_refine",
			"ending",
			"decode_resize", "convention", "point_threshold", "point_shrink", "max_points", "map_threshold", "datasets"}, nil},
	} {
		if len(c.m.Properties) != len(c.keys) {
			t.Errorf("%s: %d keys, want %d", c.name, len(c.m.Properties), len(c.keys))
		}
		for _, k := range c.keys {
			if c.m.Properties[k].Description == "" {
				t.Errorf("%s: %s is not described", c.name, k)
			}
		}
		if !reflect.DeepEqual(c.m.Required, c.required) || c.m.AdditionalProperties == nil || *c.m.AdditionalProperties {
			t.Errorf("%s: required %v, additional %v", c.name, c.m.Required, c.m.AdditionalProperties)
		}
	}
}
