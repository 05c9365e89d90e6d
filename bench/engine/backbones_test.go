package engine

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"reflect"
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
		"features: k}, lposs, lposs_plus, {corrclip: {blocks: 1}}, trident, {name: parts, method: trident, parts: "+
		"2}]\nprotocol: %s\nresamples: 50\n", filepath.Join(dir, "masks"), second, third, protocol)
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
		s, err := plan.targets[0].Dataset.At(at.index)
		if err != nil {
			t.Error(err)
			return
		}
		r, err := plan.targets[0].regionsOf(at.index, s.Image.Rect.Dx(), s.Image.Rect.Dy())
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
		{"no dino", func(s *configs.Suite) { delete(s.Backbones, "dino") }, "ovbench pull facebook/dino-vitb16"},
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

// writeNPZ writes an archive of arrays.
func writeNPZ(t *testing.T, file string, method uint16, arrays map[string][]byte) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = w.Write(arrays[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// wantRegions are masks in a file a.npy of a folder, and the file.
func wantRegions(t *testing.T, dir string) (want *runners.Regions, array []byte) {
	t.Helper()
	file := filepath.Join(dir, "a.npy")
	writeRegions(t, file, 10, 4)
	want, err := readRegions(file)
	if err != nil || want.W != 10 || want.H != 4 || want.IDs[0] != 0 || want.IDs[3] != 1 || want.IDs[39] != 4 {
		t.Fatalf("%+v, %v", want, err)
	}
	if array, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	return want, array
}

// Masks are read from all three kinds of files.
func TestRegionsFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	want, array := wantRegions(t, dir)
	var batched bytes.Buffer
	if err := tensor.WriteNPYInt32(&batched, []int{1, 4, 10}, want.IDs); err != nil {
		t.Fatal(err)
	}
	writeNPZ(t, at("alone.npz"), zip.Store, map[string][]byte{"arr_0.npy": array})
	writeNPZ(t, at("deflated.NPZ"), zip.Deflate, map[string][]byte{"a.npy": nil, "instance_mask.npy": array})
	writeNPZ(t, at("batched.npz"), zip.Deflate, map[string][]byte{"instance_mask.npy": batched.Bytes()})
	wide := image.NewGray16(image.Rect(0, 0, 10, 4))
	palette := image.NewPaletted(wide.Rect, color.Palette{color.White, color.Black, color.White, color.White, color.Black})
	for i, id := range want.IDs {
		wide.SetGray16(i%10, i/10, color.Gray16{Y: uint16(id)})
		palette.Pix[i] = uint8(id)
	}
	writePNG(t, at("wide.png"), wide)
	writePNG(t, at("palette.PNG"), palette)
	for _, name := range []string{"alone.npz", "deflated.NPZ", "batched.npz", "wide.png", "palette.PNG"} {
		if r, err := readRegions(at(name)); err != nil || !reflect.DeepEqual(r, want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	wide.SetGray16(9, 3, color.Gray16{Y: 65535})
	writePNG(t, at("most.png"), wide)
	if r, err := readRegions(at("most.png")); err != nil || r.IDs[39] != 65535 {
		t.Errorf("65535: %+v, %v", r, err)
	}
}

// What holds no masks is refused by the name of its file.
func TestHostileRegions(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	_, array := wantRegions(t, dir)
	huge := bytes.Replace(array, []byte("(4, 10), }      "), []byte("(9999999, 99), }"), 1)
	damaged := slices.Clone(array)
	damaged[len(damaged)-4] ^= 1
	var broken, flat, grey bytes.Buffer
	err := errors.Join(tensor.WriteNPY(&broken, tensor.Dense{Shape: []int{1, 2}, Data: []float32{1, 2.5}}),
		tensor.WriteNPYInt32(&flat, []int{4}, []int32{1, 2, 3, 4}),
		png.Encode(&grey, image.NewGray(image.Rect(0, 0, 99, 99))))
	if err != nil {
		t.Fatal(err)
	}
	colours := image.NewNRGBA(image.Rect(0, 0, 10, 4))
	colours.Set(3, 3, color.NRGBA{1, 2, 3, 100})
	writePNG(t, at("colours.png"), colours)
	writeNPZ(t, at("two.npz"), zip.Store, map[string][]byte{"a.npy": array, "b.npy": array})
	writeNPZ(t, at("huge.npz"), zip.Deflate, map[string][]byte{"a.npy": huge})
	writeNPZ(t, at("broken.npz"), zip.Deflate, map[string][]byte{"a.npy": broken.Bytes()})
	writeNPZ(t, at("flat.npz"), zip.Deflate, map[string][]byte{"a.npy": flat.Bytes()})
	writeNPZ(t, at("stored.npz"), zip.Store, map[string][]byte{"a.npy": array})
	stored, err := os.ReadFile(at("stored.npz"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cut.npy": []byte("\x93NUMPY"), "no.npz": []byte("no archive"),
		"cut.png": grey.Bytes()[:grey.Len()/2], "huge.npy": huge,
		"damaged.npz": bytes.Replace(stored, array, damaged, 1)} {
		if err := os.WriteFile(at(name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, why := range map[string]string{"cut.npy": "not a .npy", "no.npz": "zip", "cut.png": "truncated",
		"huge.npy": "is too large", "huge.npz": "is too large", "colours.png": "colour", "two.npz": "instance_mask",
		"damaged.npz": "checksum", "broken.npz": "whole numbers", "flat.npz": "[H, W]"} {
		if _, err := readRegions(at(name)); err == nil || !strings.Contains(err.Error(), at(name)) ||
			!strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", name, err, why)
		}
	}
}

// Votes of a region are those of most pixels.
func TestVote(t *testing.T) {
	labels := []uint16{3, 1, 1, 7, 9, 9, 7, 5}
	(&runners.Regions{W: 4, H: 2, IDs: []int32{2, 5, 5, 5, 2, 5, 5, 8}}).Vote(labels, 4, 2)
	if want := []uint16{3, 1, 1, 1, 9, 1, 1, 5}; !slices.Equal(labels, want) {
		t.Errorf("labels %v, want %v: of equally many the smallest, and what is in no region stays", labels, want)
	}
}

// Masks of another size than the picture's are of another picture: the sample fails, and says so.
func TestRegionsOfAnotherPicture(t *testing.T) {
	r := secondNetworks(t, demo(t), tiny)
	found, err := filepath.Glob(filepath.Join(r.Suite.Datasets[0].Regions, "*.npy"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	writeRegions(t, found[0], 9, 9)
	run, err := measure(t, t.Context(), r, quiet{})
	if err != nil || len(run.Failures) != 1 || !strings.Contains(run.Failures[0].Error, "masks of regions of 9x9 pixels") {
		t.Errorf("%+v, %v", run.Failures, err)
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
