package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/runners"
	"ovbench/runners/checkpoint/checkpointtest"
	"ovbench/runners/dino/dinotest"
	"ovbench/runners/sam/samtest"
	"ovbench/runners/tensor"
)

// secondNetworks is all methods that read networks beside the model, on random ones, and masks of regions of the demo's
// pictures.
func secondNetworks(t *testing.T, r Request, protocol string) Request {
	t.Helper()
	dir := t.TempDir()
	second, third := filepath.Join(dir, "dino.safetensors"), filepath.Join(dir, "sam.safetensors")
	if err := errors.Join(dinotest.Write(second, dinotest.Tiny, 3), samtest.Write(third, samtest.Tiny, 4)); err != nil {
		t.Fatal(err)
	}
	root, err := demoData()
	if err != nil {
		t.Fatal(err)
	}
	ds, err := datasets.Open("voc21", datasets.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ds.Len() {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		writeRegions(t, filepath.Join(dir, "masks", ds.ID(i)+".npy"), s.Image.Rect.Dx(), s.Image.Rect.Dy())
	}
	text := fmt.Sprintf("model: micro\ndatasets: [{name: voc21, root: <demo>, regions: %s}]\nbackbones: {dino: %s, "+
		"sam: %s}\nmethods: [clip, proxyclip, {name: onsam, method: proxyclip, vfm: sam}, {name: keys, method: proxyclip, "+
		"features: k}, lposs, lposs_plus, {corrclip: {blocks: 1}}, trident, {name: parts, method: trident, parts: 2}]\nprotocol: %s\n"+
		"resamples: 50\n", filepath.Join(dir, "masks"), second, third, protocol)
	s, err := configs.Parse("s.yaml", []byte(text), tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	r.Suite, r.Out = s, t.TempDir()
	return r
}

// writeRegions writes four regions, and what is in none.
func writeRegions(t *testing.T, file string, w, h int) {
	t.Helper()
	ids := make([]int32, w*h)
	for i := range ids {
		if x, y := i%w, i/w; x > w/5 {
			ids[i] = int32(1 + 2*y/h + 2*(2*x/w))
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err == nil {
		err = errors.Join(tensor.WriteNPYInt32(f, []int{h, w}, ids), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A run that reads further networks and masks, stopped and resumed, or in shards that are merged, gives equal scores;
// and no two of its methods say the same.
func TestBackbonesResumeAndShard(t *testing.T) {
	base := demo(t)
	for name, protocol := range map[string]string{
		"windows": tiny, "padded": "{base: clearclip, size: 50, window: 34, stride: 25}",
		"squash": "{base: clip-surgery, size: 48x64}",
	} {
		t.Run(name, func(t *testing.T) {
			r := secondNetworks(t, base, protocol)
			r.Jobs = 1
			whole, err := measure(t, t.Context(), r, quiet{})
			if err != nil || !whole.Complete || len(whole.Failures) > 0 {
				t.Fatalf("%+v, %v", whole, err)
			}
			seen := map[string]string{}
			for _, c := range whole.Cells {
				value := fmt.Sprint(c.Scores)
				if other := seen[value]; other != "" {
					t.Errorf("%s and %s score alike", c.Method, other)
				}
				seen[value] = c.Method
			}
			r.Out = t.TempDir()
			interrupt(t, r, 3)
			resumes(t, r, whole)
			merges(t, r, whole, 2)
			r.Resume = true
			if name == "windows" {
				otherMasks(t, r)
			}
		})
	}
}

// otherMasks says that a run does not go on with other masks than it began with.
func otherMasks(t *testing.T, r Request) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.Suite.Datasets[0].Regions, "*.npy"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	writeRegions(t, found[0], 9, 9)
	if _, err := measure(t, t.Context(), r, quiet{}); err == nil ||
		!strings.Contains(err.Error(), "masks of regions of voc21") {
		t.Errorf("resumed with other masks: %v", err)
	}
}

// Label maps of CorrCLIP have one label in each region, and its alone: regions vote once all else is decided.
func TestRegionsVote(t *testing.T) {
	plan, err := NewPlan(secondNetworks(t, demo(t), tiny))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	split := map[string]int{} // label maps by method with a region of several labels
	plan.see = func(at labelled, labels []uint16) {
		mu.Lock()
		defer mu.Unlock()
		r, err := plan.targets[0].regionsOf(at.index)
		if err != nil || len(r.IDs) != len(labels) {
			t.Errorf("%d labels for regions %v, %v", len(labels), r, err)
			return
		}
		first := map[int32]uint16{}
		for i, id := range r.IDs {
			if label, ok := first[id]; ok && id > 0 && label != labels[i] {
				split[at.method]++
				break
			}
			first[id] = labels[i]
		}
	}
	if _, err := plan.Run(t.Context(), quiet{}); err != nil {
		t.Fatal(err)
	}
	if split["corrclip"] != 0 || split["proxyclip"] == 0 {
		t.Errorf("label maps with a region of several labels: %v", split)
	}
}

// What a method needs and a run lacks is said before work, with what to type.
func TestBackbonesLacking(t *testing.T) {
	base := demo(t)
	for _, c := range []struct {
		name   string
		change func(s *configs.Suite)
		want   string
	}{
		{"no dino", func(s *configs.Suite) { delete(s.Backbones, "dino") }, "ovbench pull facebook/dino-vitb8"},
		{"no sam", func(s *configs.Suite) { delete(s.Backbones, "sam") }, "ovbench pull facebook/sam-vit-base"},
		{"dino in the place of sam", func(s *configs.Suite) { s.Backbones["sam"] = s.Backbones["dino"] }, "backbone sam"},
		{"no masks", func(s *configs.Suite) { s.Datasets[0].Regions = "" }, "regions: FOLDER"},
		{"a mask too few", func(s *configs.Suite) {
			found, _ := filepath.Glob(filepath.Join(s.Datasets[0].Regions, "*.npy"))
			os.Remove(found[0])
		}, "has no masks of regions for 1 of 8 pictures"},
		{"nobody reads", func(s *configs.Suite) { s.Methods = s.Methods[:1] }, "is read by none of the methods"},
	} {
		r := secondNetworks(t, base, tiny)
		c.change(r.Suite)
		if _, err := NewPlan(r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Results say which networks a row needs.
func TestNeeds(t *testing.T) {
	plan, err := NewPlan(secondNetworks(t, demo(t), tiny))
	if err != nil {
		t.Fatal(err)
	}
	run := plan.describe()
	want := map[string][]string{"proxyclip": {"DINO"}, "onsam": {"SAM"}, "trident": {"DINO", "SAM"},
		"lposs_plus": {"DINO"}, "corrclip": {"DINO", "masks"}}
	for _, m := range run.Methods {
		if w, ok := want[m.Kind]; ok && m.Name == m.Kind && !slices.Equal(m.Needs, w) {
			t.Errorf("%s needs %v, want %v", m.Name, m.Needs, w)
		}
	}
	if len(run.Networks) != 2 || run.Networks[1].Role != "sam" || run.Networks[1].Model.Patch != 8 {
		t.Errorf("networks %+v", run.Networks)
	}
}

// Masks are read from all three kinds of files, and votes are those of most pixels.
func TestRegionsFiles(t *testing.T) {
	dir := t.TempDir()
	writeRegions(t, filepath.Join(dir, "a.npy"), 10, 4)
	r, err := readRegions(filepath.Join(dir, "a.npy"))
	if err != nil || r.W != 10 || r.H != 4 || r.IDs[0] != 0 || r.IDs[3] != 1 || r.IDs[39] != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, text := range map[string]string{"cut.npy": "\x93NUMPY", "b.npz": "no archive"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := readRegions(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	labels := []uint16{3, 1, 1, 7, 9, 9, 7, 5}
	(&runners.Regions{W: 4, H: 2, IDs: []int32{2, 5, 5, 5, 2, 5, 5, 8}}).Vote(labels, 4, 2)
	if want := []uint16{3, 1, 1, 1, 9, 1, 1, 5}; !slices.Equal(labels, want) {
		t.Errorf("labels %v, want %v: of equally many the smallest, and what is in no region stays", labels, want)
	}
}

// refinedBy is the demo's suite on a random segmenter that expects most of its masks to be good.
func refinedBy(t *testing.T, r Request, protocol string) Request {
	t.Helper()
	dir := t.TempDir()
	for seed, name := range []string{"sam.safetensors", "other.safetensors"} {
		ws := samtest.Weights(samtest.Tiny)
		for i := range ws {
			if ws[i].Name == "mask_decoder.iou_prediction_head.layers.2.bias" {
				ws[i].Mean = 1.5
			}
		}
		if err := checkpointtest.WriteSafetensors(filepath.Join(dir, name), ws, uint64(seed)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := configs.Parse(filepath.Join(dir, "s.yaml"), []byte("model: micro\ndatasets: [{name: voc21, root: <demo>}]\n"+
		"methods: [clip, sclip]\nsegmenter: sam.safetensors\nprotocol: "+protocol+"\nresamples: 50\n"), tasks.Known())
	if err != nil {
		t.Fatal(err)
	}
	r.Suite, r.Out, r.Segmenter = s, t.TempDir(), filepath.Join(dir, "sam.safetensors")
	return r
}

// Label maps that a segmenter corrects differ from those it does not; a run of them, stopped and resumed or in shards
// that are merged, gives equal scores, and says by what it was refined.
func TestSegmenterRefines(t *testing.T) {
	base := demo(t)
	for name, protocol := range map[string]string{"windows": tiny, "whole": "{base: clip-surgery, size: 64}"} {
		t.Run(name, func(t *testing.T) {
			plain := refinedBy(t, base, protocol)
			plain.Segmenter, plain.Suite.Segmenter = "", ""
			before, err := measure(t, t.Context(), plain, quiet{})
			if err != nil {
				t.Fatal(err)
			}
			r := refinedBy(t, base, strings.TrimSuffix(protocol, "}")+", sam_refine: 0.02}")
			whole, err := measure(t, t.Context(), r, quiet{})
			if err != nil || !whole.Complete || len(whole.Failures) > 0 {
				t.Fatalf("%+v, %v", whole, err)
			}
			for i, c := range whole.Cells {
				if fmt.Sprint(c.Scores) == fmt.Sprint(before.Cells[i].Scores) {
					t.Errorf("%s scores as without refinement", c.Method)
				}
			}
			if v := whole.Datasets[0].Protocol.Fields["sam_refine"]; v == nil || len(whole.Networks) != 1 ||
				whole.Networks[0].Role != "segmenter" || whole.Networks[0].Model.Files[0].SHA256 == "" ||
				!slices.Equal(whole.Methods[0].Needs, []string{"SAM"}) {
				t.Errorf("results say sam_refine %v, networks %+v, methods %+v", v, whole.Networks, whole.Methods)
			}
			r.Out = t.TempDir()
			interrupt(t, r, 3)
			resumes(t, r, whole)
			merges(t, r, whole, 2)
			r.Resume, r.Segmenter = true, filepath.Join(filepath.Dir(r.Segmenter), "other.safetensors")
			if _, err := measure(t, t.Context(), r, quiet{}); err == nil || !strings.Contains(err.Error(), "weights") {
				t.Errorf("resumed with another segmenter: %v", err)
			}
		})
	}
}

// Refinement that cannot be is refused before work.
func TestRefinementRefused(t *testing.T) {
	base := demo(t)
	for _, c := range []struct {
		name, protocol string
		change         func(r *Request)
		want           string
	}{
		{"no segmenter", "sam_refine: 0.2", func(r *Request) { r.Segmenter, r.Suite.Segmenter = "", "" },
			"ovbench pull facebook/sam-vit-base"},
		{"another task", "sam_refine: 0.2", func(r *Request) { r.Suite.Task = "explain" },
			"which task explain does not decide"},
		{"not refined", "scale: 40", func(r *Request) {}, "task segmentation uses no segmenter"},
	} {
		r := refinedBy(t, base, "{base: clip-surgery, size: 64, "+c.protocol+"}")
		c.change(&r)
		if _, err := NewPlan(r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// An estimate counts Segment Anything once a picture, of methods that read it and where it refines label maps, however
// many windows there are.
func TestEstimateOfSegmenter(t *testing.T) {
	base := demo(t)
	if got := (cost{window: 3, picture: 50}).of(2, 10); got != 130 {
		t.Errorf("two pictures of ten windows take %v, want 130", got)
	}
	without := secondNetworks(t, base, tiny)
	delete(without.Suite.Backbones, "sam")
	without.Suite.Methods = without.Suite.Methods[:2]
	for _, c := range []struct {
		name  string
		r     Request
		takes bool
	}{
		{"trident", secondNetworks(t, base, tiny), true}, {"without trident", without, false},
		{"refined", refinedBy(t, base, "{base: clip-surgery, size: 64, sam_refine: 0.02}"), true},
	} {
		plan, err := NewPlan(c.r)
		if err != nil {
			t.Fatal(err)
		}
		lines, _, err := plan.Estimate(t.Context(), quiet{})
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(lines, "\n"); strings.Contains(text, "Segment Anything takes") != c.takes {
			t.Errorf("%s: %s", c.name, text)
		}
	}
}
