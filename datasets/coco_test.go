package datasets_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
)

const cocoRoot = "testdata/coco"

// cocoTree copies directories and files of testdata/coco to other places: "from > to", to may be left out.
func cocoTree(t *testing.T, entries ...string) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, e := range entries {
		from, to, ok := strings.Cut(e, " > ")
		if !ok {
			to = from
		}
		paths, err := filepath.Glob(filepath.Join(cocoRoot, from))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: nothing there (%v)", from, err)
		}
		for _, p := range paths {
			dst := filepath.Join(root, to)
			if strings.Contains(from, "*") {
				dst = filepath.Join(dst, filepath.Base(p))
			}
			if st, err := os.Stat(p); err == nil && st.IsDir() {
				if err := os.CopyFS(dst, os.DirFS(p)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			put(t, dst, cocoRead(t, p))
		}
	}
	return root
}

func cocoRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// cocoExpectation is testdata/coco/expected.json by picture, recorded by make.py there with numpy 2.4.6 and
// pycocotools 2.0.11.
type cocoExpectation map[string]struct {
	Object   string `json:"coco_object"`
	Stuff    string `json:"coco_stuff"`
	Panoptic string `json:"coco_panoptic"`
	Objects  []struct {
		Category, Crowd int
		Mask            string
		Box             [4]float64
	}
}

func cocoExpected(t *testing.T) (e cocoExpectation) {
	t.Helper()
	if err := json.Unmarshal(cocoRead(t, cocoRoot+"/expected.json"), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// labelSum is the CRC-32 of a label map of bytes, with 255 for Ignore.
func labelSum(l labelmap.Map) string {
	pix := make([]byte, len(l.Pix))
	for i, v := range l.Pix {
		pix[i] = byte(v)
	}
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(pix))
}

// Every form of the truth gives the same label maps, wherever it lies.
func TestCOCOForms(t *testing.T) {
	expected := cocoExpected(t)
	lists := make(map[string]bool)
	for _, test := range []struct {
		name, note string
		tree       []string
	}{
		{"coco_object", "stuffthingmaps in stuffthingmaps/val2017", []string{"images/val2017 > coco/val2017",
			"stuffthingmaps/val2017 > coco/stuffthingmaps/val2017"}},
		{"coco_object", "stuffthingmaps in annotations/val2017", []string{"images/val2017 > data/coco_object/images/val2017",
			"stuffthingmaps/val2017 > data/coco_object/annotations/val2017"}},
		{"coco_object", "converted maps annotations/val2017/*_instanceTrainIds.png", []string{"images/val2017",
			"annotations/val2017"}},
		{"coco_object", "converted maps", []string{"images/val2017 > coco_stuff164k/images/val2017",
			"annotations/val2017 > coco_stuff164k/annotations/val2017"}},
		{"coco_object", "painted from annotations/instances_val2017.json", []string{"images/val2017 > coco/images/val2017",
			"annotations/*.json > coco/annotations"}},
		{"coco_stuff", "stuffthingmaps in annotations/stuffthingmaps/val2017", []string{"images/val2017",
			"stuffthingmaps/val2017 > annotations/stuffthingmaps/val2017"}},
		{"coco_stuff", "stuffthingmaps in annotations/val2017", []string{"images/val2017",
			"stuffthingmaps/val2017 > annotations/val2017", "annotations/val2017/* > annotations/val2017"}},
		{"coco_stuff", "converted maps annotations/val2017/*_labelTrainIds.png",
			[]string{"images/val2017 > data/coco_stuff164k/images/val2017",
				"annotations/val2017 > data/coco_stuff164k/annotations/val2017"}},
		{"coco_stuff", "painted from annotations/stuff_val2017.json and annotations/instances_val2017.json",
			[]string{"images/val2017 > val2017", "annotations/*.json > annotations"}},
		{"coco_panoptic", "", []string{"images/val2017 > val2017", "annotations"}},
		{"coco_panoptic", "", []string{"images/val2017 > coco/images/val2017",
			"annotations/panoptic_val2017.json > coco/annotations/panoptic_val2017.json",
			"annotations/panoptic_val2017 > coco/panoptic_val2017"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ds := open(t, test.name, datasets.Options{Root: cocoTree(t, test.tree...)})
			datasetstest.Run(t, ds)
			info := ds.Info()
			if notes := strings.Join(info.Notes, "\n"); !strings.Contains(notes, test.note) ||
				(test.note == "") != (notes == "") {
				t.Errorf("%v: notes %q, want %q", test.tree, notes, test.note)
			}
			if info.Split != "val2017" || info.Official != 5000 || ds.Len() != len(expected) {
				t.Errorf("%+v with %d samples", info, ds.Len())
			}
			lists[info.ListSHA256] = true
			for i := range ds.Len() {
				s, err := ds.At(i)
				if err != nil {
					t.Fatal(err)
				}
				e := expected[s.ID]
				want := map[string]string{"coco_object": e.Object, "coco_stuff": e.Stuff, "coco_panoptic": e.Panoptic}[test.name]
				if got := labelSum(s.Labels); got != want {
					t.Errorf("%v: %s has labels %s, want %s", test.tree, s.ID, got, want)
				}
			}
		})
	}
	if len(lists) != 1 {
		t.Errorf("the forms have %d different lists of ids", len(lists))
	}
}

// Where a tree has several forms, raw maps go before converted ones, which go before annotation files.
func TestCOCOFormOrder(t *testing.T) {
	root := cocoTree(t, "images/val2017", "annotations", "stuffthingmaps")
	for _, step := range []struct{ remove, note string }{
		{"none", "stuffthingmaps/val2017"}, {"stuffthingmaps", "converted maps"}, {"annotations/val2017", "painted from"},
	} {
		if err := os.RemoveAll(filepath.Join(root, step.remove)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"coco_object", "coco_stuff"} {
			if notes := open(t, name, datasets.Options{Root: root}).Info().Notes; len(notes) != 1 ||
				!strings.Contains(notes[0], step.note) {
				t.Errorf("%s without %s: notes %q, want %q", name, step.remove, notes, step.note)
			}
		}
	}
}

// COCO's ids in the order of labels.
func cocoClassOf(t *testing.T, ds datasets.Dataset, category int) int {
	t.Helper()
	name, ok := map[int]string{1: "person", 13: "stop sign", 17: "cat", 44: "bottle", 62: "chair",
		90: "toothbrush"}[category]
	for i, c := range ds.Info().Classes {
		if ok && c == name {
			return i
		}
	}
	t.Fatalf("no class for category %d", category)
	return 0
}

func TestCOCOObjects(t *testing.T) {
	expected := cocoExpected(t)
	for split, want := range map[string]struct{ ids, first string }{
		"":        {"COCO_val2014_000000000285 COCO_val2014_000000000724", "COCO_val2014_"},
		"val2017": {"000000000139 000000000285 000000000632 000000000724", ""},
	} {
		ds := open(t, "coco", datasets.Options{Root: cocoRoot, Split: split})
		datasetstest.Run(t, ds)
		var ids []string
		crowds := 0
		for i := range ds.Len() {
			s, err := ds.At(i)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
			e := expected[strings.TrimPrefix(s.ID, want.first)]
			tags := make([]datasets.Tag, 80)
			if len(s.Objects) != len(e.Objects) || s.Objects == nil || s.Labels.Pix != nil {
				t.Fatalf("%s: %d objects, want %d", s.ID, len(s.Objects), len(e.Objects))
			}
			for k, o := range s.Objects {
				w := e.Objects[k]
				tags[cocoClassOf(t, ds, w.Category)] = datasets.Present
				box := [4]float64{o.X0, o.Y0, o.X1 - o.X0, o.Y1 - o.Y0}
				if o.Class != cocoClassOf(t, ds, w.Category) || o.Crowd != (w.Crowd == 1) || box != w.Box ||
					o.Mask.Encode() != w.Mask {
					t.Errorf("%s: object %d is %+v, want %+v", s.ID, k, o, w)
				}
				if o.Crowd {
					crowds++
				}
			}
			if diff := cmp.Diff(tags, s.Tags); diff != "" {
				t.Errorf("%s: tags (-want +got):\n%s", s.ID, diff)
			}
		}
		if got := strings.Join(ids, " "); got != want.ids || crowds == 0 {
			t.Errorf("split %q: ids %s with %d crowds, want %s", split, got, crowds, want.ids)
		}
		if info := ds.Info(); info.Official != map[string]int{"val2014": 40504, "val2017": 5000}[info.Split] {
			t.Errorf("%+v", info)
		}
	}
}

func TestCOCOLabelledOnly(t *testing.T) {
	ds := open(t, "coco", datasets.Options{Root: cocoRoot, LabelledOnly: true})
	want := []string{"1 of 2 pictures have no annotation and are left out"}
	if info := ds.Info(); ds.Len() != 1 || ds.ID(0) != "COCO_val2014_000000000724" || info.Official != 0 ||
		!cmp.Equal(info.Notes, want) {
		t.Errorf("%d samples of %+v", ds.Len(), info)
	}
}

// The files of a tree may come in any JSON that means the same.
func TestCOCOIndentedAnnotations(t *testing.T) {
	root := cocoTree(t, "images/val2017", "annotations/*.json > annotations")
	name := filepath.Join(root, "annotations/instances_val2017.json")
	var v map[string]any
	if err := json.Unmarshal(cocoRead(t, name), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(v, "\r\n", "\t") // keys in alphabetical order: annotations before images
	if err != nil {
		t.Fatal(err)
	}
	put(t, name, data)
	for _, n := range []string{"coco_object", "coco_stuff"} {
		plain, indented := open(t, n, datasets.Options{Root: cocoTree(t, "images/val2017",
			"annotations/*.json > annotations")}), open(t, n, datasets.Options{Root: root})
		for i := range plain.Len() {
			a, errA := plain.At(i)
			b, errB := indented.At(i)
			if errA != nil || errB != nil || !cmp.Equal(a.Labels, b.Labels) {
				t.Errorf("%s: %v, %v, or labels differ", a.ID, errA, errB)
			}
		}
	}
}

// cocoJSON is an annotation file of one picture, 000000000139.jpg of 48x36 pixels.
func cocoJSON(images, annotations, categories string) string {
	if images == "" {
		images = `{"id": 139, "width": 48, "height": 36, "file_name": "000000000139.jpg"}`
	}
	if categories == "" {
		categories = `{"id": 1, "name": "person"}`
	}
	return `{"images": [` + images + `], "annotations": [` + annotations + `], "categories": [` + categories + `]}`
}

func cocoMask(segmentation string) string {
	return cocoJSON("", `{"id": 900100000139, "image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": `+segmentation+`}`, "")
}

func TestCOCOAnnotationErrors(t *testing.T) {
	const img = `{"id": 139, "width": 48, "height": 36, "file_name": "000000000139.jpg"}`
	for _, test := range []struct{ name, file, want string }{
		{"unknown category", cocoJSON("", `{"id": 9001000000001, "image_id": 139, "category_id": 12}`, ""), "annotation 9001000000001 of image 139 has category 12, which is none of the 80"},
		{"no category", cocoJSON("", `{"id": 5, "image_id": 139}`, ""), "annotation 5 of image 139 has category without id"},
		{"no image", cocoJSON("", `{"id": 5, "category_id": 1}`, ""), "annotation 5 has no image_id"},
		{"unlisted image", cocoJSON("", `{"id": 5, "image_id": 140, "category_id": 1}`, ""), "annotations of image 140, which the list of images lacks"},
		{"unlisted image before", cocoJSON("", `{"id": 5, "image_id": 7, "category_id": 1}`, ""), "annotations of image 7, which"},
		{"twice", cocoJSON(img+","+img, "", ""), "image 139 is listed twice"},
		{"same name", cocoJSON(img+`,{"id": 7, "width": 1, "height": 1, "file_name": "a/000000000139.png"}`, "", ""), "images 7 and 139 have the same file name"},
		{"half a pixel", cocoJSON(`{"id": 139, "width": 48.5, "height": 36, "file_name": "000000000139.jpg"}`, "", ""), "width: byte"},
		{"worded id", cocoJSON("", `{"id": 5, "image_id": "one", "category_id": 1}`, ""), `image_id: byte 124: the text "one", want a number`},
		{"vast", cocoJSON(`{"id": 139, "width": 4000000000, "height": 4000000000, "file_name": "000000000139.jpg"}`, "", ""), "4000000000 is no number of pixels"},
		{"no id", cocoJSON(`{"width": 48, "height": 36, "file_name": "000000000139.jpg"}`, "", ""), "an image without id"},
		{"upwards", cocoJSON(`{"id": 139, "width": 48, "height": 36, "file_name": "../.."}`, "", ""), `the file name "../.."`},
		{"float id", cocoJSON("", `{"id": 1.5}`, ""), "1.5 is not a whole number"},
		{"LVIS", cocoJSON("", "", `{"id": 1, "name": "aerosol_can"}`), `category 1 is "aerosol_can", here it must be "person"`},
		{"stuff for things", cocoJSON("", "", `{"id": 92, "name": "banner"}`), `category 92, "banner", is none of the 80`},
		{"not COCO", `{"shapes": []}`, "no list of images"},
		{"list", `[]`, `byte 0: '[', want '{'`},
		{"two lists", `{"images": [], "images": []}`, "a second list of images"},
		{"no images", `{"images": [], "annotations": []}`, "the list of images is empty"},
		{"cut", cocoJSON("", `{"id": 5, "image_id": 139, "category_id": 1}`, "")[:120], "byte 112: the text ends within a string"},
		{"more", cocoJSON("", "", "") + "{}", "want the end of the text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := cocoTree(t, "images/val2017")
			name := filepath.Join(root, "annotations/instances_val2017.json")
			put(t, name, []byte(test.file))
			_, err := datasets.Open("coco", datasets.Options{Root: root, Split: "val2017"})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), name) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestCOCOSampleErrors(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"odd polygon", cocoMask(`[[1, 2, 3, 4, 5, 6, 7]]`), "image 139: annotation 900100000139: polygon 0: odd number of polygon coordinates: 7 numbers"},
		{"flat polygon", cocoMask(`[1, 2, 3, 4, 5, 6]`), "want a list of polygons"},
		{"other size", cocoMask(`{"size": [48, 36], "counts": [1728]}`), "segmentation of size [48 36], want [height, width] of the picture, [36 48]"},
		{"negative run", cocoMask(`{"size": [36, 48], "counts": [1729, -1]}`), "whole numbers from 0"},
		{"short runs", cocoMask(`{"size": [36, 48], "counts": [1727]}`), "add up to 1727 pixels, the mask of 48x36 has 1728"},
		{"short text", cocoMask(`{"size": [36, 48], "counts": "06"}`), "add up to 6 pixels"},
		{"no counts", cocoMask(`{"size": [36, 48]}`), "segmentation without counts"},
		{"no mask", cocoMask(`null`), "annotation 900100000139: no segmentation"},
		{"no polygons", cocoMask(`[]`), "no segmentation"},
		{"size of picture", cocoJSON(`{"id": 139, "width": 36, "height": 48, "file_name": "000000000139.jpg"}`, "", ""), "000000000139.jpg is 48x36"},
		{"no picture", cocoJSON(`{"id": 140, "width": 48, "height": 36, "file_name": "000000000140.jpg"}`, "", ""), "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := cocoTree(t, "images/val2017")
			put(t, filepath.Join(root, "annotations/instances_val2017.json"), []byte(test.file))
			_, err := open(t, "coco_object", datasets.Options{Root: root}).At(0)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// What pycocotools chokes on or other readers leave out, but means something.
func TestCOCOOddities(t *testing.T) {
	root := cocoTree(t, "images/val2017")
	rows := []string{
		`{"id": 1, "image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 9, 9]]}`, // two points: no inside
		`{"id": 2, "image_id": 139, "category_id": 62, "segmentation": [[1, 1, 4, 1, 4, 4, 1, 4], [7, 7]]}`,  // box from the mask
		`{"id": 3, "image_id": 139, "category_id": 3, "bbox": [0.5, 1, 2, 0], "segmentation": null, "iscrowd": 0}`,
		`{"id": 4, "image_id": 139, "category_id": 4, "bbox": [0, 0, 1, 1], "iscrowd": 1, "segmentation": {"size": [36, 48], "counts": [10, 0, 0, 5, 1713, 0]}}`,
	}
	put(t, filepath.Join(root, "annotations/instances_val2017.json"), []byte(cocoJSON("", strings.Join(rows, ","), "")))
	s, err := open(t, "coco", datasets.Options{Root: root, Split: "val2017"}).At(0)
	if err != nil {
		t.Fatal(err)
	}
	want := []datasets.Object{
		{Class: 0, X0: 1, Y0: 2, X1: 4, Y1: 6, Mask: mask.RLE{H: 36, W: 48, Counts: []uint32{1728}}},
		{Class: 56, X0: 1, Y0: 1, X1: 4, Y1: 4, Mask: mask.RLE{H: 36, W: 48, Counts: []uint32{37, 3, 33, 3, 33, 3, 1616}}},
		{Class: 2, X0: 0.5, Y0: 1, X1: 2.5, Y1: 1},
		{Class: 3, X0: 0, Y0: 0, X1: 1, Y1: 1, Crowd: true, Mask: mask.RLE{H: 36, W: 48, Counts: []uint32{10, 5, 1713}}},
	}
	if diff := cmp.Diff(want, s.Objects); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCOCOFileChanges(t *testing.T) {
	for _, test := range []struct {
		more string
		late time.Duration
		want bool
	}{{"", 0, false}, {" ", 0, true}, {"", time.Hour, true}} {
		root := cocoTree(t, "images/val2017", "annotations/instances_val2017.json")
		ds := open(t, "coco", datasets.Options{Root: root, Split: "val2017"})
		name := filepath.Join(root, "annotations/instances_val2017.json")
		st, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		put(t, name, append(cocoRead(t, name), test.more...))
		if err := os.Chtimes(name, time.Time{}, st.ModTime().Add(test.late)); err != nil {
			t.Fatal(err)
		}
		if _, err := ds.At(0); (err != nil && strings.Contains(err.Error(), "has changed since it was opened")) != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// Label maps that are not what their names promise.
func TestCOCOMapErrors(t *testing.T) {
	grey := func(v uint8) []byte {
		m := image.NewGray(image.Rect(0, 0, 48, 36))
		m.SetGray(5, 7, color.Gray{v})
		return encode(t, m)
	}
	colour := image.NewNRGBA(image.Rect(0, 0, 48, 36))
	for i := range colour.Pix {
		colour.Pix[i] = 255
	}
	for _, test := range []struct {
		name, path string
		data       []byte
		want       string
	}{
		{"coco_object", "stuffthingmaps/val2017/000000000139.png", grey(11), "11 at x 5, y 7; allowed are 0..10, 12..24,"},
		// never used: converted already
		{"coco_stuff", "stuffthingmaps/val2017/000000000139.png", grey(182), "182 at x 5, y 7"},
		{"coco_object", "annotations/val2017/000000000139_instanceTrainIds.png", grey(81),
			"81 at x 5, y 7; allowed are 0..80"},
		{"coco_object", "annotations/val2017/000000000139_instanceTrainIds.png", grey(255),
			"255 at x 5, y 7; allowed are 0..80"}, // void is background
		{"coco_stuff", "annotations/val2017/000000000139_labelTrainIds.png", grey(171),
			"171 at x 5, y 7; allowed are 0..170, 255"},
		{"coco_panoptic", "annotations/panoptic_val2017/000000000139.png", encode(t, colour), "segment 16777215 at x 0, y 0"},
		{"coco_panoptic", "annotations/panoptic_val2017/000000000139.png", grey(1), "panoptic label maps are RGB PNG"},
		{"coco_panoptic", "annotations/panoptic_val2017/000000000139.png", nil, "zero bytes"},
	} {
		tree := []string{"images/val2017", filepath.Dir(test.path)}
		if test.name == "coco_panoptic" {
			tree = append(tree, "annotations/panoptic_val2017.json")
		}
		root := cocoTree(t, tree...)
		put(t, filepath.Join(root, test.path), test.data)
		_, err := open(t, test.name, datasets.Options{Root: root}).At(0)
		if err == nil || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), filepath.FromSlash(test.path)) {
			t.Errorf("%s: %v, want %q", test.path, err, test.want)
		}
	}
}

func TestCOCOPanopticErrors(t *testing.T) {
	const segment = `{"id": 7, "category_id": 1}`
	annotation := func(segments string) string { return `{"image_id": 139, "segments_info": [` + segments + `]}` }
	for _, test := range []struct{ name, file, want string }{
		{"category", cocoJSON("", annotation(`{"id": 7, "category_id": 183}`), ""), "segment 7 has category 183, which is none of the 133"},
		{"number", cocoJSON("", annotation(`{"id": 16777216, "category_id": 1}`), ""), "segment 16777216 does not fit"},
		{"void", cocoJSON("", annotation(`{"id": 0, "category_id": 1}`), ""), "segment 0 does not fit"},
		{"twice", cocoJSON("", annotation(segment+","+segment), ""), "segment 7 is listed twice"},
		{"other file", cocoJSON("", `{"image_id": 139, "file_name": "000000000285.png", "segments_info": []}`, ""), "the label map of 000000000139.jpg is 000000000285.png"},
		{"two annotations", cocoJSON("", annotation(segment)+","+annotation(segment), ""), "image 139 has 2 annotations"},
		{"none", cocoJSON("", "", ""), "image 139 has 0 annotations"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := cocoTree(t, "images/val2017", "annotations/panoptic_val2017")
			put(t, filepath.Join(root, "annotations/panoptic_val2017.json"), []byte(test.file))
			ds, err := datasets.Open("coco_panoptic", datasets.Options{Root: root})
			if err == nil {
				_, err = ds.At(0)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestCOCOOpenErrors(t *testing.T) {
	pictures := cocoTree(t, "images/val2017")
	few := cocoTree(t, "images/val2017", "annotations/instances_val2017.json")
	put(t, filepath.Join(few, "annotations/stuff_val2017.json"), []byte(cocoJSON("", "", `{"id": 92, "name": "banner"}`)))
	for _, test := range []struct {
		name string
		o    datasets.Options
		want []string
	}{
		{"coco_object", datasets.Options{}, []string{"no data directory", "stuffthingmaps_trainval2017.zip",
			"_instanceTrainIds.png"}},
		{"coco_object", datasets.Options{Root: cocoRoot, Split: "../val"}, []string{`split: "../val" is not`}},
		{"coco_object", datasets.Options{Root: cocoRoot, Split: "train2017"}, []string{`split "train2017": no directory images/train2017 or train2017`, "splits there are: val2014, val2017"}},
		{"coco_object", datasets.Options{Root: pictures}, []string{"pictures are in " + filepath.Join(pictures,
			"images/val2017"), "nothing that says what is in them"}},
		{"coco_stuff", datasets.Options{Root: cocoTree(t, "images/val2017", "annotations/stuff_val2017.json")},
			[]string{"instances_val2017.json is missing"}},
		{"coco_stuff", datasets.Options{Root: few}, []string{few, "lacks image 285 of 36x48 pixels"}},
		{"coco_stuff", datasets.Options{Root: cocoTree(t, "images/val2017", "annotations/instances_val2017.json",
			"annotations/instances_val2014.json > annotations/stuff_val2017.json")},
			[]string{`is none of the 92 there are`}},
		{"coco_panoptic", datasets.Options{Root: cocoTree(t, "images/val2017", "annotations/panoptic_val2017.json")},
			[]string{"unpack panoptic_val2017.zip"}},
		{"coco", datasets.Options{Root: pictures}, []string{`split "val2014"`, "splits there are: val2017"}},
	} {
		_, err := datasets.Open(test.name, test.o)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %+v: %v, want %q", test.name, test.o, err, want)
			}
		}
	}
}

// The pictures are the list: one that is there twice is refused, one without label map is found by Verify.
func TestCOCOVerify(t *testing.T) {
	root := cocoTree(t, "images/val2017", "stuffthingmaps")
	remove(t, filepath.Join(root, "stuffthingmaps/val2017/000000000285.png"))
	got := make(map[datasets.FaultKind]int)
	for _, f := range datasets.Inspect(t.Context(), open(t, "coco_stuff", datasets.Options{Root: root}),
		datasets.InspectOptions{}).Faults {
		got[f.Kind] = f.Count
	}
	if diff := cmp.Diff(map[datasets.FaultKind]int{datasets.WrongCount: 4, datasets.MissingLabel: 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	put(t, filepath.Join(root, "images/val2017/000000000139.png"), nil)
	if _, err := datasets.Open("coco_stuff", datasets.Options{Root: root}); err == nil ||
		!strings.Contains(err.Error(), "have the same id") {
		t.Error(err)
	}
}
