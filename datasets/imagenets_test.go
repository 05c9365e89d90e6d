package datasets_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/datasets"
	"ovbench/datasets/labelmap"
)

// Stripes of 0, 1, C and 1000, by testdata/small_trees.py.
func TestImageNetS(t *testing.T) {
	for _, test := range []struct{ classes, official int }{{50, 752}, {300, 4097}, {919, 12419}} {
		name, folder := fmt.Sprint("imagenet_s", test.classes), fmt.Sprint("ImageNetS", test.classes)
		for _, root := range []string{"testdata/imagenets", "testdata/imagenets/" + folder} {
			ds := open(t, name, datasets.Options{Root: root})
			in := ds.Info()
			if filepath.Base(in.Root) != folder || in.Official != test.official || !in.Background ||
				in.Classes[0] != "background" || len(in.Classes) != test.classes+1 {
				t.Errorf("%s: %+v", name, in)
			}
			s, err := ds.At(0)
			if err != nil {
				t.Fatal(err)
			}
			want := map[uint16]int{0: 60, 1: 60, uint16(test.classes): 60, labelmap.Ignore: 60}
			if got := histogram(s.Labels); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: labels %v, want %v", name, got, want)
			}
		}
	}
}

func TestImageNetSErrors(t *testing.T) {
	fifty := t.TempDir()
	for i := range 50 {
		put(t, filepath.Join(fifty, fmt.Sprintf("validation-segmentation/n%08d/x%d.png", i, i)), nil)
	}
	put(t, filepath.Join(fifty, "validation/readme.txt"), nil)
	twice := t.TempDir()
	put(t, filepath.Join(twice, "validation-segmentation/n1/x.png"), nil)
	put(t, filepath.Join(twice, "validation-segmentation/n2/x.png"), nil)
	put(t, filepath.Join(twice, "validation/readme.txt"), nil)
	for _, test := range []struct {
		name string
		o    datasets.Options
		want string
	}{
		{"imagenet_s50", datasets.Options{}, "imagenet_s50: no data directory is given; name the one that holds ImageNetS50"},
		{"imagenet_s50", datasets.Options{Root: "testdata/imagenets", Split: "test"},
			"test and test-segmentation are together in none of"},
		{"imagenet_s50", datasets.Options{Root: "testdata/imagenets/ImageNetS300"},
			"validation and validation-segmentation are together in none of"},
		{"imagenet_s919", datasets.Options{Root: fifty},
			"has 50 classes, as ImageNetS50 does, not 919; open imagenet_s50, or name the folder of ImageNetS919"},
		{"imagenet_s50", datasets.Options{Root: twice}, "n2: x.png is in n1 too"},
	} {
		if _, err := datasets.Open(test.name, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %+v: got %v, want %q", test.name, test.o, err, test.want)
		}
	}
	if ds := open(t, "imagenet_s50", datasets.Options{Root: fifty}); ds.Len() != 50 || ds.ID(7) != "x7" {
		t.Errorf("%d label maps, number 7 is %s", ds.Len(), ds.ID(7))
	}
}

func TestImageNetSLabelErrors(t *testing.T) {
	colours := func(c color.RGBA) []byte {
		m := image.NewNRGBA(image.Rect(0, 0, 20, 12))
		for i := range m.Pix {
			m.Pix[i] = uint8(i % 4 / 3 * 255) // opaque black
		}
		m.Set(4, 2, c)
		return encode(t, m)
	}
	for _, test := range []struct {
		name, want string
		data       []byte
		is         error
	}{
		{"larger subset", "51 at x 4, y 2; allowed are 0..50, 1000; it may be a label map of a larger subset",
			colours(color.RGBA{51, 0, 0, 255}), labelmap.ErrValue},
		{"green", "256 at x 4, y 2", colours(color.RGBA{0, 1, 0, 255}), labelmap.ErrValue},
		{"blue", "colour 1, 0, 7 has blue, which no label of ImageNet-S has (x 4, y 2)", colours(color.RGBA{1, 0, 7, 255}),
			labelmap.ErrValue},
		{"grey", "not an RGB PNG of 8 bits", encode(t, image.NewGray(image.Rect(0, 0, 20, 12))), nil},
		{"other size", "is 12x20; one of them was rotated", encode(t, opaque(12, 20)), datasets.ErrSize},
		{"no PNG", "zero bytes", nil, nil},
	} {
		root := t.TempDir()
		if err := os.CopyFS(root, os.DirFS("testdata/imagenets")); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, "ImageNetS50/validation-segmentation/n01443537/ILSVRC2012_val_00000050.png")
		put(t, path, test.data)
		_, err := open(t, "imagenet_s50", datasets.Options{Root: root}).At(0)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v is not %v", test.name, err, test.is)
		}
	}
}

func opaque(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	return m
}

// Category files have a line for each class, in the order of labels.
func TestRealImageNetS(t *testing.T) {
	dir := filepath.Join(shared(t), "samples/imagenet_s")
	for _, n := range []int{50, 300, 919} {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("ImageNetS_categories_im%d.txt", n)))
		if err != nil {
			t.Fatal(err)
		}
		wnids := strings.Fields(string(data))
		queries, err := datasets.Queries(fmt.Sprint("imagenet_s", n), "")
		if err != nil || len(queries) != len(wnids)+1 {
			t.Fatalf("%d synsets, %d classes, %v", len(wnids), len(queries), err)
		}
		// WordNet 3.0: n01443537 is the goldfish, n02391049 the zebra, n03937543 the pill bottle.
		for wnid, name := range map[string]string{"n01443537": "goldfish", "n02391049": "zebra", "n03937543": "pill bottle"} {
			for i, w := range wnids {
				if w == wnid && queries[i+1][0] != name {
					t.Errorf("%d: class %d is %s, called %q", n, i+1, wnid, queries[i+1][0])
				}
			}
		}
	}
	list, err := os.ReadFile(filepath.Join(dir, "lists/ImageNetS_im50_validation.txt"))
	if err != nil || strings.Count(strings.TrimSpace(string(list)), "\n")+1 != 752 {
		t.Errorf("the official list of 50 classes has another length than 752 (%v)", err)
	}
}

// ids_4x6.png holds 0, 1, 50, 261, 300, 919, 1000 as R + 256*G; the numbers beside it were written by numpy.
func TestRealImageNetSEncoding(t *testing.T) {
	dir := filepath.Join(shared(t), "samples/imagenet_s/derived")
	label, err := os.ReadFile(filepath.Join(dir, "ids_4x6.png"))
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := os.ReadFile(filepath.Join(dir, "ids_4x6.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want [][]uint16
	if err := json.Unmarshal(numbers, &want); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	put(t, filepath.Join(root, "validation-segmentation/n1/x.png"), label)
	put(t, filepath.Join(root, "validation/n1/x.JPEG"), encode(t, opaque(6, 4)))
	s, err := open(t, "imagenet_s919", datasets.Options{Root: root}).At(0)
	if err != nil {
		t.Fatal(err)
	}
	for p, got := range s.Labels.Pix {
		v := want[p/6][p%6]
		if v == 1000 {
			v = labelmap.Ignore
		}
		if got != v {
			t.Errorf("pixel %d: label %d, want %d", p, got, v)
		}
	}
}
