package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func someExperts() *Experts {
	hash := strings.Repeat("0123456789abcdef", 4)
	return &Experts{Version: 1, Model: ExpertModel{"a: model #1", []string{hash}},
		Networks:  []ExpertModel{{"dino", []string{hash}}},
		Templates: ExpertTemplates{"openai80", 80, hash},
		Datasets: []ExpertSet{{Name: "voc20", Split: "train", Samples: "0-9,12", Pictures: 11, Protocol: "sclip", Scale: 40,
			Classes: []ExpertClass{{"dog", []string{"dog", "puppy"}}, {"on", []string{"yes"}}},
			Methods: []ExpertMethod{{Kind: "clip", Positions: "bicubic", Classes: []ClassExperts{
				{"on", []Expert{{"a photo of a {}.", 0.25, 12}, {"{}", 1, 3}}}}}},
		}}}
}

func TestExpertsAreReadAsWritten(t *testing.T) {
	want := someExperts()
	path := filepath.Join(t.TempDir(), "e.yaml")
	if err := os.WriteFile(path, want.Write(), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := ReadExperts(path)
	if err != nil {
		t.Fatalf("%v in\n%s", err, want.Write())
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Experts{}, "File", "SHA256")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, line := range []string{"- {class: dog, words: [dog, puppy]}",
		"- {template: 'a photo of a {}.', entropy: 0.25, points: 12}"} {
		if !strings.Contains(string(want.Write()), line) {
			t.Errorf("%q is not in\n%s", line, want.Write())
		}
	}
}

func TestFaultyExperts(t *testing.T) {
	text := string(someExperts().Write())
	for _, c := range []struct{ from, to, want string }{
		{"experts: 1\n", "experts: 2\n", "e.yaml:4: experts: want a whole number from 1 to 1, got \"2\""},
		{"experts: 1\n", "name: x\n", "no file of class experts, which begins with experts: 1 (ovbench experts makes one)"},
		{"points: 12", "points: many", "points: want a whole number"},
		{"entropy: 0.25", "entropy: -1", "entropy: want a number of 0 or more, got \"-1\""},
		{"count: 80, sha256: 0", "count: 80, sha256: x", "want a SHA-256 of 64 digits"},
		{", words: [dog, puppy]", "", "words is missing"},
		{"template: '{}'", "template: 'a photo of a {}.'", "is used twice"},
	} {
		if !strings.Contains(text, c.from) {
			t.Fatalf("%q is not in\n%s", c.from, text)
		}
		_, err := parseExperts("e.yaml", []byte(strings.Replace(text, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.to, err, c.want)
		}
	}
	classes := someExperts().Datasets[0].Classes
	for _, c := range []struct {
		name    string
		classes []ExpertClass
		m       ExpertMethod
		want    string
	}{
		{"voc21", classes[:1], ExpertMethod{}, "has class experts of voc20, not of voc21 or its classes and words"},
		{"voc20", classes[:1], ExpertMethod{}, "has class experts of 2 classes on voc20, which are 1 here"},
		{"voc20", []ExpertClass{classes[0], {"on", []string{"no"}}}, ExpertMethod{},
			"class 1 is on (yes) there, and on (no) here"},
		{"voc21", classes, ExpertMethod{Kind: "gem", Positions: "bicubic"}, "not of gem at bicubic positions"},
		{"voc20", classes, ExpertMethod{Kind: "clip", Params: "{pool: head}", Positions: "bicubic"},
			"not of clip {pool: head}"},
		{"voc20", classes, ExpertMethod{Kind: "clip", Positions: "bilinear"},
			"of clip at bicubic positions, not of clip at bilinear"},
	} {
		s, err := someExperts().Set(c.name, c.classes)
		if err == nil {
			_, err = s.Method(c.m)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: error %v, want %q", c.m, c.name, err, c.want)
		}
	}
}
