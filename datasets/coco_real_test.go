package datasets

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
)

// cocoColumns reads a table of two columns of numbers under a heading.
func cocoColumns(t *testing.T, path string) map[uint16]uint16 {
	t.Helper()
	lines, err := files.Lines(path)
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[uint16]uint16)
	for _, line := range lines[1:] {
		from, to, _ := strings.Cut(line, "\t")
		f, errFrom := strconv.ParseUint(from, 10, 16)
		v, errTo := strconv.ParseUint(to, 10, 16)
		if errFrom != nil || errTo != nil {
			t.Fatalf("%s: %q", path, line)
		}
		table[uint16(f)] = uint16(v)
	}
	return table
}

// The tables of mmsegmentation's converter for COCO-Stuff and of GroupViT's for COCO-Object.
func TestRealCOCOTables(t *testing.T) {
	dir := filepath.Join(Shared(t), "classes/label_maps")
	for file, table := range map[string]*labelmap.Table{
		"coco_stuffthing_pixel_to_train171.tsv": cocoStuffTable(),
		"coco_stuffthing_pixel_to_object81.tsv": cocoObjectTable(),
	} {
		want := cocoColumns(t, filepath.Join(dir, file))
		if len(want) < 80 {
			t.Fatalf("%s: %d rows", file, len(want))
		}
		for v, label := range table {
			w, ok := want[uint16(v)]
			if !ok && (label == labelmap.Stray || label == labelmap.Ignore || strings.Contains(file, "object81") && label == 0) {
				continue // tables that leave out what becomes background, or void
			}
			if w == 255 {
				w = labelmap.Ignore
			}
			if !ok || w != label {
				t.Errorf("%s: %d becomes %d, want %d", file, v, label, w)
			}
		}
	}
}

func TestRealCOCONames(t *testing.T) {
	dir := filepath.Join(Shared(t), "classes/official_names")
	for file, names := range map[string][]string{
		"mmseg_cocostuff171.txt": cocoNames(cocoThings, cocoStuff),
		"sclip_meta_81.txt":      append([]string{"background"}, cocoNames(cocoThings)...),
	} {
		want, err := files.Lines(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	data, err := os.ReadFile(filepath.Join(Shared(t), "samples/coco_panoptic/panoptic_coco_categories.json"))
	if err != nil {
		t.Fatal(err)
	}
	var categories []struct {
		ID   int64
		Name string
	}
	if err := json.Unmarshal(data, &categories); err != nil {
		t.Fatal(err)
	}
	for i, c := range slices.Concat(cocoThings, cocoPanopticStuff) {
		if c.id != categories[i].ID || c.name != categories[i].Name {
			t.Errorf("%d: %v, want %v", i, c, categories[i])
		}
	}
}

// realCOCO links folders and files of the samples to where COCO has them.
func realCOCO(t *testing.T, links map[string]string) (root string) {
	t.Helper()
	samples, err := filepath.Abs(filepath.Join(Shared(t), "samples"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for to, from := range links {
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(samples, from), to); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Panoptic label maps of panopticapi's sample, against rgb2id and the category of each segment, which were recorded as
// PNG.
func TestRealCOCOPanoptic(t *testing.T) {
	const sample = "coco_panoptic/panopticapi_sample_data/"
	root := realCOCO(t, map[string]string{
		"val2017":                           sample + "input_images",
		"annotations/panoptic_val2017.json": sample + "panoptic_examples.json",
		"annotations/panoptic_val2017":      sample + "panoptic_examples",
	})
	ds, err := Open("coco_panoptic", Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	categories := slices.Concat(cocoThings, cocoPanopticStuff)
	objects := cocoLabels(1, cocoThings)
	for i, id := range []string{"000000142238", "000000439180"} {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		want := realLabels(t, "samples/coco_panoptic/derived_category_id", id)
		object := realLabels(t, "samples/coco_panoptic/derived_object81", id)
		for p, v := range s.Labels.Pix {
			category := int64(0)
			if v != labelmap.Ignore {
				category = categories[v].id
			}
			if int64(want.Pix[p]) != category || object.Pix[p] != objects[category] {
				t.Fatalf("%s: pixel %d is label %d, category %d, want %d, object %d", id, p, v, category, want.Pix[p],
					object.Pix[p])
			}
		}
	}
}

func realLabels(t *testing.T, dir, id string) labelmap.Map {
	t.Helper()
	l, err := labelmap.Read(filepath.Join(Shared(t), dir, id+".png"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// COCO-Stuff's sample annotations against stuffthingmaps painted from them with pycocotools.
func TestRealCOCOStuff(t *testing.T) {
	labels := cocoLabels(len(cocoThings), cocoStuff)
	labels[cocoOther.id] = labelmap.Stray
	f, err := openCOCOFile(filepath.Join(Shared(t), "samples/cocostuff/stuff_examples.json"), labels, cocoStuff,
		[]cocoCategory{cocoOther})
	if err != nil {
		t.Fatal(err)
	}
	d := &cocoAnnotated{things: f, background: labelmap.Ignore}
	if len(f.images) != 2 {
		t.Fatalf("%d images", len(f.images))
	}
	for i := range f.images {
		img := &f.images[i]
		got, err := d.paint(img)
		if err != nil {
			t.Fatal(err)
		}
		raw := realLabels(t, "samples/cocostuff/stuffthingmaps_derived", stem(img.file))
		if err := cocoStuffTable().Apply(raw); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(raw, got) {
			t.Errorf("%s: painted and mapped labels differ", img.file)
		}
	}
}

// Six polygons of COCO val2017: the file's area is that of the polygon, the mask's differs by what the outline cuts.
// The pixel counts are pycocotools 2.0.11's.
func TestRealCOCOPolygons(t *testing.T) {
	f, err := openCOCOFile(filepath.Join(Shared(t), "samples/coco/instances_val2017_subset.json"),
		cocoLabels(0, cocoThings), cocoThings)
	if err != nil {
		t.Fatal(err)
	}
	d := &cocoAnnotated{things: f}
	areas := make(map[string][]int64)
	for i := range f.images {
		_, objects, err := d.objects(&f.images[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			areas[f.images[i].file] = append(areas[f.images[i].file], o.Mask.Area())
			x0, y0, x1, y1 := o.Mask.Box()
			if off := max(math.Abs(float64(x0)-o.X0), math.Abs(float64(y0)-o.Y0), math.Abs(float64(x1)-o.X1),
				math.Abs(float64(y1)-o.Y1)); off > 1 {
				t.Errorf("%s: the mask's box %d %d %d %d is %.1f pixels away from %v", f.images[i].file, x0, y0, x1, y1, off, o)
			}
		}
	}
	want := map[string][]int64{"000000000139.jpg": {13247, 2372, 439}, "000000255917.jpg": {378, 20, 876}}
	if diff := cmp.Diff(want, areas); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Uncompressed run lengths of crowds and small things are the compressed ones of the file they were made from.
func TestRealCOCOUncompressed(t *testing.T) {
	read := func(file string) map[string]string {
		data, err := os.ReadFile(filepath.Join(Shared(t), "samples", file))
		if err != nil {
			t.Fatal(err)
		}
		var all struct{ Annotations []json.RawMessage }
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatal(err)
		}
		masks := make(map[string]string)
		for _, data := range all.Annotations {
			var want struct {
				Image int64 `json:"image_id"`
				Area  float64
			}
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			a, err := parseAnnotation(data)
			if err != nil {
				t.Fatal(err)
			}
			m, ok, err := a.mask(int(a.runs.size[0]), int(a.runs.size[1]))
			if err != nil || !ok || float64(m.Area()) != want.Area {
				t.Fatalf("%s: area %d, want %v; %v", file, m.Area(), want.Area, err)
			}
			masks[fmt.Sprint(want.Image, " ", a.id)] = m.Encode()
		}
		return masks
	}
	compressed := read("coco_panoptic/panopticapi_sample_data/panoptic_coco_detection_format.json")
	uncompressed := read("coco/instances_uncompressed_rle_derived.json")
	if len(uncompressed) != 6 {
		t.Errorf("%d masks", len(uncompressed))
	}
	for key, m := range uncompressed {
		if !slices.Contains(slices.Collect(maps.Values(compressed)), m) {
			t.Errorf("%s: %.40q is not among the compressed masks", key, m)
		}
	}
}

// 734 masks that pycocotools wrote come out as they went in.
func TestRealCOCOResults(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(Shared(t), "samples/coco/instances_val2014_fakesegm100_results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var results []struct {
		Segmentation struct {
			Size   [2]int
			Counts string
		}
	}
	if err := json.Unmarshal(data, &results); err != nil || len(results) != 734 {
		t.Fatal(len(results), err)
	}
	for i, r := range results {
		m, err := mask.Decode(r.Segmentation.Counts, r.Segmentation.Size[0], r.Segmentation.Size[1])
		if err != nil || m.Encode() != r.Segmentation.Counts {
			t.Errorf("result %d: %v, or another text", i, err)
		}
	}
}
