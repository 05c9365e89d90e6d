package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// span is a piece of a sentence, with an explanation for readers who are new to its words.
type span struct{ text, tip string }

// Explanations of what a newcomer asks first.
const (
	surgeryTip = "CLIP Surgery (Li et al., 2023) reads CLIP without training: its last blocks attend by values " +
		"alone, " +
		"and what all texts share is taken off their maps."
	protocolTip = "All that changes a number and is not the method: size and windows of the picture, prompts, " +
		"class names, " +
		"thresholds. Numbers under unlike protocols must not be compared."
)

// questions are what the tasks ask of a model.
var questions = map[string]string{
	"segmentation": "give every pixel the right name", "explain": "show where the thing is that a text names",
	"multilabel": "say what is in a picture", "faithfulness": "show what its scores rest on",
}

// leadOf says in a sentence what was asked: which model, which question, on what, by which methods, and how it was
// scored.
func leadOf(v *view) []span {
	blocks := v.blocks()
	b := blocks[0]
	if len(b.rows) == 0 || len(b.columns) == 0 {
		return nil
	}
	c, r := b.columns[0], v.runs[b.rows[0].run]
	var sets []string
	images, counts := 0, map[*results.Dataset]bool{}
	for _, c := range b.columns {
		if d := b.dataset(b.rows[0], c); d != nil && !counts[d] {
			counts[d] = true
			sets, images = append(sets, c.full), images+d.Measured
		}
	}
	out := []span{{text: fmt.Sprintf("How well does the model %s ",
		cmp.Or(r.Model.Called(), r.Model.Architecture))},
		{text: cmp.Or(questions[c.key.task], "answer") + ", on "},
		{text: fmt.Sprintf("%s of %s", counted(images, "image"), listed(few(sets, 3)))}, {text: ", read by "}}
	var names []string
	for _, x := range b.rows {
		names = append(names, b.name(x))
	}
	if i := slices.Index(names, "clip_surgery"); i >= 0 && len(names) > 1 {
		const last = "CLIP Surgery"
		names = append(few(slices.Delete(names, i, i+1), 2), last)
		out = append(out, span{text: strings.TrimSuffix(listed(names), last)}, span{last, surgeryTip})
	} else {
		out = append(out, span{text: listed(few(names, 3))})
	}
	out = append(out, span{text: "? Scored by "}, span{metricsOf(b.columns), v.layout.meaning(c.key.task, c.metric)},
		span{text: " under the "},
		span{"protocol", protocolTip}, span{text: " " + cmp.Or(r.Protocol.Name, "of the suite") + "."})
	if n := len(blocks) - 1; n > 0 {
		out = append(out, span{text: fmt.Sprintf(" %s more below.",
			strings.ToUpper(counted(n, "question")[:1])+counted(n, "question")[1:])})
	}
	return out
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// few is a list of which at most most elements are named, and one more where it is the last.
func few(list []string, most int) []string {
	if n := len(list) - most; n > 1 {
		return append(slices.Clone(list[:most]), fmt.Sprintf("%d more", n))
	}
	return list
}

// listed is a list in words.
func listed(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// strip is a sample that shows at a glance what the scores say: the picture, the truth, and two methods.
type strip struct {
	keptPanel
	methods []string // of the run
	about   string   // why it is this sample
}

// stripOf is the sample whose gain, of the best method over the first one, is the median of those that were kept:
// neither the best picture nor the worst. Nil where no run kept label maps with their truth.
func stripOf(v *view) *strip {
	for i, r := range v.runs {
		base, other, ok := stripMethods(r)
		if !ok {
			continue
		}
		type gain struct {
			panel *results.Panel
			value float64
		}
		var gains []gain
		for j := range r.Panels {
			scores, err := panelScores(r, &r.Panels[j])
			x, okX := scores[base]
			y, okY := scores[other]
			if err == nil && okX && okY && len(r.Panels[j].Predictions) > 0 && !math.IsNaN(y-x) {
				gains = append(gains, gain{&r.Panels[j], y - x})
			}
		}
		if len(gains) == 0 {
			continue
		}
		slices.SortStableFunc(gains, func(a, b gain) int { return cmp.Compare(a.value, b.value) })
		name := func(m string) string { return v.name(row{run: i, method: m}) }
		return &strip{keptPanel{r, gains[len(gains)/2].panel, name}, []string{base, other},
			fmt.Sprintf("The picture of median gain of %s over %s among the %d that were kept.", other, base,
				len(gains))}
	}
	return nil
}

// stripMethods are CLIP and CLIP Surgery, or the first method of a run and the one with the highest score.
func stripMethods(r *results.Run) (base, other string, ok bool) {
	if len(r.Methods) < 2 || len(r.Panels) == 0 {
		return "", "", false
	}
	base = r.Methods[0].Name
	if r.Method("clip") != nil {
		base = "clip"
	}
	if r.Method("clip_surgery") != nil && base != "clip_surgery" {
		return base, "clip_surgery", true
	}
	top := math.Inf(-1)
	for i := range r.Cells {
		c := &r.Cells[i]
		if s := c.Score(r.Headline(c)); s != nil && c.Method != base && s.Value > top {
			other, top = c.Method, s.Value
		}
	}
	return base, other, other != ""
}
