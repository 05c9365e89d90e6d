package configs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rules of CLIP Surgery's segmentation: arXiv 2304.05653, table 6, with the authors' answers to the issues
// 8, 17, 22, 25 and 32 of their repository.
func TestClipSurgeryProtocol(t *testing.T) {
	want := Protocol{
		Name: "clip-surgery", Resize: "squash", Size: Size{512, 512}, Filter: "bicubic", Positions: "reference", Templates: "surgery85",
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
// over the eleven fields as text, such as "size": "512x512", "scale": "100".
func TestProtocolFingerprint(t *testing.T) {
	p, _ := builtin("clip-surgery")
	if got, want := p.Fingerprint(), "818c8e6d5a4b631fd1e50b98cdd927017c99a1eaf44e7d9516aa43e8ca0153b9"; got != want {
		t.Errorf("clip-surgery: %s, want %s", got, want)
	}
	p.Size, p.Threshold, p.Templates = Size{224, 336}, 0.1, "a & b/é.txt"
	if got, want := p.Fingerprint(), "129dccda394e10bdf8bd05cc15c723590841bfe6edc54f7210eb5f1bdca6bb3c"; got != want {
		t.Errorf("changed: %s, want %s", got, want)
	}
}

// Each field of Protocol but the name is seen by Fields, Fingerprint, Diff and String.
func TestEveryFieldCounts(t *testing.T) {
	base, _ := builtin("clip-surgery")
	fields := reflect.TypeFor[Protocol]()
	if got, want := len(base.Fields()), fields.NumField()-1; got != want {
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
		default:
			t.Fatalf("%s: no case for %T", fields.Field(i).Name, v)
		}
		name := fields.Field(i).Name == "Name"
		if same := p.Fingerprint() == base.Fingerprint(); same != name {
			t.Errorf("%s: equal fingerprints %v", fields.Field(i).Name, same)
		}
		if n := len(Diff(base, p)); n != map[bool]int{true: 0, false: 1}[name] {
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
	if got, want := Diff(a, b), []string{"size: 512x512, 224x336", "scale: 100, 40"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Diff = %q, want %q", got, want)
	}
	if got := Diff(a, a); got != nil {
		t.Errorf("Diff of equals = %q", got)
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

func TestProtocolOf(t *testing.T) {
	s := mustParse(t, "datasets: [voc20, {name: voc21, queries: sclip}]\nmethods: [clip]\nprotocol: clip-surgery\n")
	if got := s.ProtocolOf(s.Datasets[0]); got != s.Protocol {
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
		"{name: clip-surgery, resize: squash, size: 64, filter: bicubic, positions: reference, templates: surgery85, queries: plain, redundant: reference, scale: 1e2, threshold: -0.0, decode_resize: bilinear, convention: mmseg}",
	} {
		if got := mustParse(t, head+form).Protocol; got != want || got.Fingerprint() != want.Fingerprint() {
			t.Errorf("%s: %+v", form, got)
		}
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
		{"suite", suite, []string{"name", "title", "doc", "model", "task", "datasets", "methods", "protocol", "metrics", "panels", "seed", "resamples"}, []string{"datasets", "methods", "protocol"}},
		{"dataset", dataset, []string{"name", "root", "split", "queries", "limit", "label_names", "labelled_only", "apply_exif", "images", "labels", "classes", "list", "image_suffix", "label_suffix", "ignore", "reduce_zero_label", "background"}, []string{"name"}},
		{"protocol", protocol, []string{"base", "name", "resize", "size", "filter", "positions", "templates", "queries", "redundant", "scale", "threshold", "decode_resize", "convention"}, nil},
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
