package runners_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/runners"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// caption.json holds the tokens of the micro model for one caption as transformers 5.24 and torch 2.15 compute them:
// text_projection(text_model(ids).last_hidden_state).
func TestCaption(t *testing.T) {
	lib := library(t)
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, tok := open(t, micro, micro)
	var want struct {
		Caption string
		IDs     []int32
		Tokens  [][]float32
	}
	loadJSON(t, filepath.Join("testdata", "caption.json"), &want)
	c, err := runners.EncodeCaption(t.Context(), lib, m, tok, want.Caption, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.IDs, c.IDs); diff != "" {
		t.Errorf("ids (-want +got)\n%s", diff)
	}
	equal(t, "tokens", c.Embeddings, tensor.Dense{Shape: []int{len(want.IDs), m.Embed},
		Data: slices.Concat(want.Tokens...)})
	n := len(c.Words)
	if c.Words[0] != "[start]" || c.Words[n-1] != "[end]" {
		t.Errorf("words %q", c.Words)
	}
	words := ""
	for i, w := range c.Words[1 : n-1] {
		if words += w; !c.Open[i+1] {
			words += " "
		}
	}
	if words != want.Caption+" " {
		t.Errorf("tokens make up %q", words)
	}
	tower, err := runners.NewTexts(lib, m, tok, ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tower.Close()
	e, err := tower.Encode(t.Context(), []string{want.Caption}, nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "end token", tensor.Dense{Shape: e.Shape, Data: c.Embeddings.At(n - 1).Data}, e)

	if _, err := runners.EncodeCaption(t.Context(), lib, m, tok, strings.Repeat("cat ", 80), ort.Options{}); err == nil ||
		!strings.Contains(err.Error(), "the model reads 77") {
		t.Errorf("a caption of 82 tokens: error %v", err)
	}
	if c, err = runners.EncodeCaption(t.Context(), lib, m, tok, "", ort.Options{}); err != nil ||
		!cmp.Equal(c.Words, []string{"[start]", "[end]"}) {
		t.Errorf("the empty caption: %q, %v", c.Words, err)
	}
}

func TestNormalize(t *testing.T) {
	d := tensor.Dense{Shape: []int{2, 2}, Data: []float32{3, -4, 0, 0}}
	runners.Normalize(d)
	if want := []float32{0.6, -0.8, 0, 0}; !cmp.Equal(d.Data, want) {
		t.Errorf("%v, want %v", d.Data, want)
	}
}
