package datasets_test

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
)

// Stripes of 0, 1, 150 and of 77, 0, by testdata/small_trees.py: 0 is not scored, k is class k-1.
func TestADE20K(t *testing.T) {
	for _, split := range []string{"", "val", "validation"} {
		ds := open(t, "ade20k", datasets.Options{Root: "testdata/ade20k", Split: split})
		if in := ds.Info(); in.Split != "validation" || in.Official != 2000 || ds.Len() != 2 ||
			ds.ID(1) != "ADE_val_00000002" {
			t.Errorf("split %q: %d pictures of %s", split, ds.Len(), in.Split)
		}
		for i, want := range [][]uint16{{labelmap.Ignore, 0, 149}, {76, labelmap.Ignore}} {
			s, err := ds.At(i)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range want {
				if got := s.Labels.Pix[(2*k+1)*s.Labels.W/(2*len(want))]; got != v {
					t.Errorf("%s, stripe %d: label %d, want %d", s.ID, k, got, v)
				}
			}
		}
	}
}

func TestADE20KErrors(t *testing.T) {
	const set = "ADEChallengeData2016"
	full := t.TempDir()
	put(t, filepath.Join(full, "ADE20K_2021_17_01/index_ade20k.pkl"), nil)
	for _, test := range []struct {
		o    datasets.Options
		want []string
	}{
		{datasets.Options{}, []string{"ade20k: no data directory", "ADEChallengeData2016.zip", "images/validation/<id>.jpg"}},
		{datasets.Options{Root: full}, []string{"ADE20K_2021_17_01 is the full ADE20K", "want the scene parsing benchmark"}},
		{datasets.Options{Root: "picture/testdata/pixels"},
			[]string{"images/validation and annotations/validation are together in none of"}},
		{datasets.Options{Root: "testdata", Split: "test"}, []string{`split "test" is not known`}},
	} {
		_, err := datasets.Open("ade20k", test.o)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want %q", test.o, err, want)
			}
		}
	}
	grey := image.NewGray(image.Rect(0, 0, 24, 16))
	grey.Pix[25] = 151
	for want, data := range map[string][]byte{
		"is in the colours of the full ADE20K (class = R/10*256 + G); want the label map of ADEChallengeData2016": encode(t,
			image.NewNRGBA(image.Rect(0, 0, 24, 16))),
		"label value is out of range: 151 at x 1, y 1; allowed are 0..150, 255": encode(t,
			grey),
	} {
		root := t.TempDir()
		if err := os.CopyFS(root, os.DirFS("testdata/ade20k")); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, set, "annotations/validation/ADE_val_00000001.png")
		put(t, path, data)
		if _, err := open(t, "ade20k", datasets.Options{Root: root}).At(0); err == nil ||
			!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Three pictures of the validation split, histograms counted with numpy 2.4.6 in the official label maps.
func TestRealADE20K(t *testing.T) {
	dir := filepath.Join(shared(t), "samples/ade20k")
	root := t.TempDir()
	for _, sub := range []string{"images", "annotations"} {
		if err := os.CopyFS(filepath.Join(root, sub, "validation"),
			os.DirFS(filepath.Join(dir, "sampleData", sub))); err != nil {
			t.Fatal(err)
		}
	}
	ds := open(t, "ade20k", datasets.Options{Root: root})
	datasetstest.Run(t, ds)
	s, err := ds.At(1)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint16]int{labelmap.Ignore: 17280, 0: 8309, 1: 49211, 2: 85997, 4: 20293, 13: 341, 17: 569}
	if diff := cmp.Diff(want, histogram(s.Labels)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "ADE_train_00000970_raw.png"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, "annotations/validation/ADE_val_00000001.png"), raw)
	if _, err := ds.At(0); err == nil || !strings.Contains(err.Error(), "full ADE20K") {
		t.Errorf("raw label map: %v", err)
	}
}

// The class files are the official list of names.
func TestRealADE20KNames(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shared(t), "samples/ade20k/objectInfo150.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var want [][]string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		var names []string
		for _, name := range strings.Split(strings.Split(line, "\t")[4], ",") {
			names = append(names, strings.TrimSpace(name))
		}
		want = append(want, names)
	}
	got, err := datasets.Queries("ade20k", "synonyms")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("synonyms (-want +got):\n%s", diff)
	}
	plain, err := datasets.Queries("ade20k", "plain")
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range plain {
		if !cmp.Equal(q, want[i][:1]) {
			t.Errorf("class %d: plain %q, first name %q", i, q, want[i][0])
		}
	}
}
