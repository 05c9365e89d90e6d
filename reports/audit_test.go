package reports

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Figures of an audit say whose numbers they are, and in what; methods of two runs are told apart.
func TestAuditFigures(t *testing.T) {
	a := &Audit{}
	for i, model := range []string{"openai/clip", "laion/clip"} {
		run := []string{"out/a", "out/b"}[i]
		curve := []AuditScore{{Threshold: 0, Value: 0.3}, {Threshold: 0.5, Value: 0.5}}
		for _, words := range []string{"plain", "sclip"} {
			a.Entries = append(a.Entries, AuditEntry{Run: run, Set: "voc21", Title: "VOC", Model: model, Method: "clip",
				QuerySet: words, Curve: curve})
		}
		a.Gaps = append(a.Gaps, AuditGap{Set: "voc21", Method: "clip", QuerySet: "sclip", Plain: 2 * i, Named: 2*i + 1,
			Own: AuditChange{Difference: 0.1 + 0.2*float64(i)}})
	}
	figures := a.figures()
	var titles []string
	for _, f := range figures {
		titles = append(titles, f.Title)
	}
	want := []string{"Naming gap, by openai/clip, laion/clip",
		"Threshold curve: VOC, words plain, by openai/clip, laion/clip",
		"Threshold curve: VOC, words sclip, by openai/clip, laion/clip"}
	if !slices.Equal(titles, want) {
		t.Errorf("titles %q, want %q", titles, want)
	}
	for _, text := range []string{"gap (points of mIoU)", "clip, a", "clip, b"} {
		if !bytes.Contains(figures[0].SVG(), []byte(text)) {
			t.Errorf("the naming gap does not show %q", text)
		}
	}
	var b strings.Builder
	if err := a.markdown(&b); err != nil || !strings.Contains(b.String(), "clip, a") {
		t.Errorf("%v in\n%s", err, b.String())
	}
	a.Gaps[1].Method = "sclip"
	if names := []string{a.gapName(&a.Gaps[0]), a.gapName(&a.Gaps[1])}; !slices.Equal(names, []string{"clip", "sclip"}) {
		t.Errorf("two methods are called %q", names)
	}
}
