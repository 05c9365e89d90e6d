package engine

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports/results"
)

// explaining is a suite of a task over the built-in pictures and random model.
func explaining(t *testing.T, r Request, task, methods, protocol string) Request {
	t.Helper()
	s, err := configs.Parse("s.yaml",
		[]byte("task: "+task+"\nmodel: micro\ndatasets: [{name: voc20, root: <demo>, limit: 3}]\nmethods: "+methods+
			"\nprotocol: {base: clip-surgery, size: 64, templates: none"+protocol+"}\nresamples: 0\npanels: 1\n"), tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	r.Suite, r.Out = s, t.TempDir()
	return r
}

// cellsOf are a run's cells by method.
func cellsOf(t *testing.T, r Request) map[string][]results.Cell {
	t.Helper()
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil || len(run.Failures) > 0 {
		t.Fatalf("%v, %v", err, run.Failures)
	}
	out := map[string][]results.Cell{}
	for _, c := range run.Cells {
		method := c.Method
		c.Method = ""
		out[method] = append(out[method], c)
	}
	return out
}

// roughly is equality but for rounding, which differs with what else is in a graph.
var roughly = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-5 || math.IsNaN(a) && math.IsNaN(b) })

const someExplainers = "[clip, clip_surgery, {name: softmax, method: gradcam, target: softmax}, {name: all, method: " +
	"chefer, blocks: all}, legrad, grad_eclip, rollout, {name: few, method: gscorecam, k: 3}]"

// Explanations beside other methods change nothing of these, and score as each alone does: it is explained what is
// scored, and no more.
func TestExplainersBesideOthers(t *testing.T) {
	base := demo(t)
	all := cellsOf(t, explaining(t, base, "explain", someExplainers, ""))
	for _, alone := range []string{"[clip, clip_surgery]", "[legrad]",
		"[{name: softmax, method: gradcam, target: softmax}]"} {
		for method, cells := range cellsOf(t, explaining(t, base, "explain", alone, "")) {
			if diff := cmp.Diff(cells, all[method], roughly); diff != "" {
				t.Errorf("%s alone and among others (-alone +among)\n%s", method, diff)
			}
		}
	}
	for method, cells := range all {
		if n := cells[0].Counts["maps"]; n == 0 || method != "rollout" &&
			cells[0].Counts["constant_maps"]-cells[0].Counts["negative_maps"] == n {
			t.Errorf("%s: %v", method, cells[0].Counts)
		}
	}
}

// The protocol's ending holds for all methods in the place of each one's own. Where no value is negative, it leaves the
// order of pixels.
func TestEnding(t *testing.T) {
	base := demo(t)
	const two = "[clip, legrad]"
	own := cellsOf(t, explaining(t, base, "explain", two, ""))
	late := cellsOf(t, explaining(t, base, "explain", two, ", ending: resize-minmax"))
	if diff := cmp.Diff(own["legrad"], late["legrad"]); diff != "" {
		t.Errorf("legrad's own ending is another one (-own +given)\n%s", diff)
	}
	if cmp.Equal(own["clip"], late["clip"]) {
		t.Error("the ending does not change the maps of clip")
	}
	if a, b := own["clip"][0].Score("pointing-micro"), late["clip"][0].Score("pointing-micro"); a.Value != b.Value {
		t.Errorf("the ending moves peaks: %v and %v", a.Value, b.Value)
	}
}

// Faithfulness explains the class that the model sees.
func TestExplainersAreFaithful(t *testing.T) {
	cells := cellsOf(t, explaining(t, demo(t), "faithfulness",
		"[clip, legrad, {name: softmax, method: gradcam, target: softmax}]", ""))
	for method, list := range cells {
		if n := list[0].Counts["maps"]; n != 3 || list[0].Score("deletion") == nil {
			t.Errorf("%s: %v", method, list[0])
		}
	}
	if cmp.Equal(cells["clip"], cells["legrad"]) {
		t.Error("legrad orders pixels as clip does")
	}
}

// Segmentation takes explanations that are linear in the text, and refuses others in words, as do other tasks what they
// cannot read.
func TestTasksRefuseExplainers(t *testing.T) {
	base := demo(t)
	if cells := cellsOf(t, explaining(t, base, "segmentation", "[grad_eclip, gradcam]",
		"")); cells["grad_eclip"][0].Score("mIoU") == nil {
		t.Errorf("grad_eclip has no mIoU: %v", cells)
	}
	for _, c := range []struct{ task, methods, protocol, want string }{
		{"segmentation", "[chefer]", "",
			"task segmentation compares texts at every pixel, but chefer explains each text by itself"},
		{"segmentation", "[raw_attention]", "", "but raw_attention explains each text by itself"},
		{"segmentation", "[{gradcam: {target: softmax}}]", "", "explains each text by itself"},
		{"multilabel", "[gradcam]", "", "task multilabel reads the token of the whole picture, which gradcam does not give"},
		{"explain", "[{chefer: {blocks: 99}}]", "", "chefer: blocks 99 is out of range"},
	} {
		_, err := NewPlan(explaining(t, base, c.task, c.methods, c.protocol))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: error %v, want %q", c.task, c.methods, err, c.want)
		}
	}
}
