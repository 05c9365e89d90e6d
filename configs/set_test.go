package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Law: Set is writing the value into the file.
func TestSet(t *testing.T) {
	const (
		datasets = "datasets: [voc20, voc21]\n"
		methods  = "methods: [clip, clip_surgery, {name: CS v2.0, method: clip_surgery, depth: 2}]\n"
		protocol = "protocol: {base: clip-surgery, size: 448}\n"
		rest     = "panels: 7\n"
	)
	file := datasets + methods + protocol + rest
	for _, c := range []struct{ key, value, want string }{
		{"protocol.size", "224", strings.Replace(file, "448", "224", 1)},
		{"protocol.size", "224x336", strings.Replace(file, "448", "224x336", 1)},
		{"protocol.threshold", "0.1", strings.Replace(file, "448", "448, threshold: 0.1", 1)},
		{"protocol", "clip-surgery", datasets + methods + "protocol: clip-surgery\n" + rest},
		{"protocol", "{base: clip-surgery, scale: 40}", datasets + methods + "protocol: {base: clip-surgery, scale: 40}\n" +
			rest},
		{"panels", "0", datasets + methods + protocol + "panels: 0\n"},
		{"panels", "", datasets + methods + protocol},
		{"seed", " 18446744073709551615 ", file + "seed: 18446744073709551615\n"},
		{"title", "on: a #1 \"title\"", file + "title: 'on: a #1 \"title\"'\n"},
		{"title", "null", file + "title: 'null'\n"},
		{"methods", "clip, clip_surgery", datasets + "methods: [clip, clip_surgery]\n" + protocol + rest},
		{"methods", "[clip, {clip_surgery: {depth: 4}}]", datasets + "methods: [clip, {clip_surgery: {depth: 4}}]\n" +
			protocol + rest},
		{"methods.clip_surgery.depth", "4", strings.Replace(file, "clip_surgery,", "{clip_surgery: {depth: 4}},", 1)},
		{"methods.clip_surgery.blocks", "[1, 2]", strings.Replace(file, "clip_surgery,", "{clip_surgery: {blocks: [1, 2]}},",
			1)},
		{"methods.CS v2.0.depth", "4", strings.Replace(file, "depth: 2", "depth: 4", 1)},
		{"methods.CS v2.0.name", "CS", strings.Replace(file, "CS v2.0", "CS", 1)},
		{"datasets.voc21.root", "~/my data", "datasets: [voc20, {name: voc21, root: ~/my data}]\n" + methods + protocol +
			rest},
		{"datasets.voc21.limit", "5", "datasets: [voc20, {name: voc21, limit: 5}]\n" + methods + protocol + rest},
		{"metrics", "mIoU", file + "metrics: [mIoU]\n"},
	} {
		got, want := mustParse(t, file), mustParse(t, c.want)
		if err := got.Set(c.key, c.value); err != nil {
			t.Errorf("Set(%q, %q): %v", c.key, c.value, err)
		} else if d := cmp.Diff(want, got, sameSuite); d != "" {
			t.Errorf("Set(%q, %q) (-want +got):\n%s", c.key, c.value, d)
		}
	}
}

func TestSetFaults(t *testing.T) {
	const file = "datasets: [voc20]\nmethods: [clip, {name: a, clip: }, {name: b, method: clip_surgery, depth: " +
		"1}]\nprotocol: clip-surgery\npanels: 7\n"
	for _, c := range []struct{ key, value, want string }{
		{"protocol.size", "big", `--set: protocol.size: want a whole number or HxW, got "big"`},
		{"protocol.siz", "224", `--set: key "protocol.siz" is not known; did you mean "size"?`},
		{"protocol.size.h", "1", `--set: protocol.size.h: protocol.size holds one value; set protocol.size itself`},
		{"protocol", "", `suite.yaml: protocol is missing: how it is measured, for example clip-surgery (ovbench list protocols)`},
		{"protcol.size", "1", `--set: key "protcol" is not known; did you mean "protocol"?`},
		{"", "1", `--set: key "" is not known; known are name, title, doc, model, models, backbones, segmenter, task, datasets, methods, grow, protocol, metrics, panels, seed, resamples`},
		{"title.text", "x", `--set: title: want a text, got a mapping`},
		{"panels", "1.5", `--set: panels: want a whole number from 0 to 1000, got "1.5"`},
		{"methods", "clip,clip_surgey", `--set: method "clip_surgey" is not known; did you mean "clip_surgery"? (ovbench list methods)`},
		{"methods", "clip,clip", `--set: methods: label "clip" is used twice, first in the same value; give each a name of its own: {name: NAME, method: …}`},
		{"methods", "clip,", `--set: methods[1].method: want a text, got nothing; write one or delete the line`},
		{"methods", "[clip", `--set methods: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that begins on line 1; check indentation, quotes and brackets`},
		{"methods", "[&a clip, *a]", "--set methods: " + noAliases + "\n--set methods: " + noAliases},
		{"methods.b.dept", "1", `--set: parameter "dept" of clip_surgery is not known; did you mean "depth"? (ovbench list methods)`},
		{"methods.c.depth", "1", `--set: methods: no item for "c.depth"; there are clip, a, b`},
		{"datasets.voc20", "voc21", `--set: datasets: no item for "voc20"; there are voc20`},
		{"datasets.voc20.limit", "0", `--set: datasets[0].limit: want a whole number from 1 to 1000000000, got "0"`},
	} {
		s := mustParse(t, file)
		err := s.Set(c.key, c.value)
		if err == nil || err.Error() != c.want {
			t.Errorf("Set(%q, %q):\n     %v\nwant %s", c.key, c.value, err, c.want)
		}
		if d := cmp.Diff(mustParse(t, file), s, sameSuite); d != "" {
			t.Errorf("Set(%q, %q) failed and changed the suite:\n%s", c.key, c.value, d)
		}
	}
}

// Two items that go by one name are told apart by labels only.
func TestSetAmbiguous(t *testing.T) {
	s := mustParse(t, "datasets: [voc20]\nmethods: [{clip_surgery: {depth: 1}}, {clip_surgery: {depth: 2}}]\nprotocol: "+
		"clip-surgery\n")
	const want = `--set: methods: 2 items for "clip_surgery.depth"; give them names in the suite`
	if err := s.Set("methods.clip_surgery.depth", "3"); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// Of labels that begin alike the longest is meant, wherever it stands.
func TestSetLongestLabel(t *testing.T) {
	for _, methods := range []string{"{name: a.b, method: clip_surgery}, {name: a, method: clip}",
		"{name: a, method: clip}, {name: a.b, method: clip_surgery}"} {
		s := mustParse(t, "datasets: [voc20]\nmethods: ["+methods+"]\nprotocol: clip-surgery\n")
		if err := s.Set("methods.a.b.depth", "3"); err != nil {
			t.Error(err)
		}
	}
}

func TestSetZero(t *testing.T) {
	var s Suite
	if err := s.Set("panels", "1"); err == nil {
		t.Error("the zero suite took a value")
	}
}

// Set keeps the lines of what it leaves alone, over and over.
func TestSetKeepsLines(t *testing.T) {
	s := mustParse(t, small)
	for _, kv := range [][2]string{{"panels", "1"}, {"methods.clip_surgery.depth", "3"}, {"protocol.size", "224"}} {
		if err := s.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"methods[0]": "suite.yaml:2: x", "methods[1].depth": "--set: x",
		"protocol.scale": "suite.yaml:3: x", "panels": "--set: x"} {
		if got := s.Fault(path, "x").Error(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
