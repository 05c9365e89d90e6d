package runners

import (
	"fmt"
	"strings"
	"testing"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
)

// words is a tokenizer and a model of it, of which only the number of tokens matters: one a word, a start and an end.
type words struct{ input clip.TextInput }

func (words) Source() string             { return "words" }
func (words) Space() int                 { return 1 }
func (w words) Tokens() clip.TextInput   { return w.input }
func (words) TextGraph(bool) *onnx.Graph { return nil }

type wordTokens struct{ Tokenizer }

func (wordTokens) Tokens(text string, context int, truncate bool) ([]int32, error) {
	ids := make([]int32, len(strings.Fields(text))+2)
	if len(ids) > context && !truncate {
		return nil, fmt.Errorf("%q has %d tokens", text, len(ids))
	}
	return ids[:min(len(ids), context)], nil
}

// What is too long is told by the longest template, refused where a family refuses it, and counted where it cuts.
func TestCheckTexts(t *testing.T) {
	templates := []string{"{}", "a bad photo of a {}.", "the {}"}
	texts := []string{"cat", "very old dog", "cow in the field"}
	for _, c := range []struct {
		context    int
		cuts       bool
		cut, fault string
	}{
		{11, false, "", ""}, {11, true, "", ""},
		{10, false, "", `"a bad photo of a cow in the field." has 11 tokens`},
		{10, true, `1 of 3 texts are cut at their end, as the model's library does: "a bad photo of a cow in the field."`, ""},
		{7, true, `3 of 3 texts`, ""},
	} {
		cut, err := CheckTexts(words{clip.TextInput{Context: c.context, Truncated: c.cuts}}, wordTokens{}, texts, templates)
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) ||
			!strings.Contains(cut, c.cut) || (cut == "") != (c.cut == "") {
			t.Errorf("%+v: %q, %v", c, cut, err)
		}
	}
}
