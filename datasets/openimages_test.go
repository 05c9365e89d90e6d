package datasets_test

import (
	"bytes"
	"fmt"
	"image"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
)

const openImagesCSV = `ImageId,X,Y,Label,EstimatedYesNo,Source,YesVotes,NoVotes,UnsureVotes,TextLabel
b,0.5,0.25,/m/02,yes,ih,3,0,0,
a,0.0,1.0,/m/01,no,ih,0,3,0,
a,0.75,0.5,/m/02,yes,cc,1,0,0,
a,0.5,0.5,/m/03,unsure,cc,0,0,1,
gone,0.5,0.5,/m/02,yes,cc,1,0,0,
a,0.1,0.1,/m/03,YES,cc,1,0,0,
`

func openImagesTree(t *testing.T, points, descriptions string) string {
	picture := jpegPicture(t)
	tree := people{"validation/a.jpg": picture, "validation/b.JPG": picture,
		"oidv7-val-annotations-point-labels.csv": []byte(points)}
	if descriptions != "" {
		tree["oidv7-class-descriptions.csv"] = []byte(descriptions)
	}
	return tree.write(t)
}

func TestOpenImages(t *testing.T) {
	root := openImagesTree(t, openImagesCSV,
		"LabelName,DisplayName\n/m/03,Crane\n/m/01,\"Bird, of prey\"\n/m/02,Crane\n/m/99,Other\n")
	ds := open(t, "openimages_points", datasets.Options{Root: root})
	datasetstest.Run(t, ds)
	if want := []string{"Bird, of prey", "Crane (/m/02)", "Crane (/m/03)"}; !cmp.Equal(ds.Info().Classes, want) {
		t.Errorf("classes %q, want %q", ds.Info().Classes, want)
	}
	s, err := ds.At(0)
	if err != nil {
		t.Fatal(err)
	}
	want := []datasets.Point{{Class: 0, X: 0, Y: 1}, {Class: 1, X: 0.75, Y: 0.5, On: true}, {Class: 2, X: 0.1, Y: 0.1,
		On: true}}
	if diff := cmp.Diff(want, s.Points); s.ID != "a" || diff != "" {
		t.Errorf("%s (-want +got):\n%s", s.ID, diff)
	}
	notes := strings.Join(ds.Info().Notes, "\n")
	for _, part := range []string{"4 points of 3 labels; 1 that people were unsure of",
		"1 of 3 pictures with points are not on disk"} {
		if !strings.Contains(notes, part) {
			t.Errorf("notes %q, want %q", notes, part)
		}
	}
	if missing := ds.(datasets.Incomplete).Missing(); !cmp.Equal(missing, []string{"gone"}) {
		t.Errorf("missing %q", missing)
	}
}

func TestOpenImagesErrors(t *testing.T) {
	head, _, _ := strings.Cut(openImagesCSV, "\n")
	for rows, want := range map[string]string{
		"a,1.5,0,/m/01,yes,,,,,x":  `csv:2: "1.5" is no place in 0..1`,
		"a,NaN,0,/m/01,yes,,,,,x":  `"NaN" is no place`,
		"a,0,0,/m/01,maybe,,,,,x":  `"maybe", want yes, no or unsure`,
		"a,0,0,/m/01,yes,,,,,":     "label /m/01 has no name",
		"gone,0,0,/m/01,yes,,,,,x": "none of the 1 pictures with points",
		"a,0,0":                    "csv:2: wrong number of fields",
	} {
		root := openImagesTree(t, head+"\n"+rows+"\n", "")
		if _, err := datasets.Open("openimages_points", datasets.Options{Root: root}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rows, err, want)
		}
	}
	root := openImagesTree(t, "id,x,y\n", "")
	if _, err := datasets.Open("openimages_points", datasets.Options{Root: root}); err == nil ||
		!strings.Contains(err.Error(), "want ImageId, X, Y, Label") {
		t.Error(err)
	}
}

// FuzzOpenImages reads any file of points.
func FuzzOpenImages(f *testing.F) {
	f.Add([]byte(openImagesCSV), []byte("/m/01,Bird\n"))
	f.Fuzz(func(t *testing.T, points, descriptions []byte) {
		root := people{"validation/a.jpg": nil, "oidv7-val-annotations-point-labels.csv": points,
			"oidv7-class-descriptions.csv": descriptions}.write(t)
		ds, err := datasets.Open("openimages_points", datasets.Options{Root: root})
		if err == nil && (ds.Len() != 1 || len(ds.Info().Classes) == 0) {
			t.Fatalf("%d samples, %d classes", ds.Len(), len(ds.Info().Classes))
		}
	})
}

func TestImageNetSegmentation(t *testing.T) {
	var label bytes.Buffer
	if err := labelmap.Encode(&label, labelmap.Map{W: 2, H: 2, Pix: []uint16{0, 1, labelmap.Ignore, 1}}); err != nil {
		t.Fatal(err)
	}
	picture := encode(t, image.NewGray(image.Rect(0, 0, 2, 2)))
	tree := people{"images/n00000002_7.png": picture, "labels/n00000002_7.png": label.Bytes(),
		"images/n00000003_1.JPEG": jpegPicture(t),
		"labels/n00000003_1.png":  label.Bytes(),
		"LOC_synset_mapping.txt":  []byte("n00000001 tench, Tinca tinca\nn00000002 crane\nn00000003 crane, machine\n")}
	ds := open(t, "imagenet_segmentation", datasets.Options{Root: tree.write(t)})
	datasetstest.Run(t, ds)
	if want := []string{"background", "tench", "crane", "crane (n00000003)"}; !cmp.Equal(ds.Info().Classes, want) {
		t.Errorf("classes %q, want %q", ds.Info().Classes, want)
	}
	for i, object := range []uint16{2, 3} {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(s.Labels.Pix), fmt.Sprint([]uint16{0, object, labelmap.Ignore, object}); got != want {
			t.Errorf("%s: %s, want %s", s.ID, got, want)
		}
	}
	for name, test := range map[string]struct {
		file, text, want string
	}{
		"no list":      {"LOC_synset_mapping.txt", "", `want a synset and its name`},
		"another name": {"labels/x.png", "", "does not begin with a synset"},
		"listed twice": {"LOC_synset_mapping.txt", "n00000001 a\nn00000001 b", "is listed twice"},
		"another value": {"labels/n00000002_7.png", string(encode(t, peopleGrey(0, 1, 2, 1))),
			"2 at x 0, y 1; allowed are 0, 1 and 255"},
	} {
		changed := people{}
		for k, v := range tree {
			changed[k] = v
		}
		if changed[test.file] = []byte(test.text); name == "no list" {
			changed[test.file] = []byte("tench\n")
		}
		root := changed.write(t)
		ds, err := datasets.Open("imagenet_segmentation", datasets.Options{Root: root})
		if err == nil {
			_, err = ds.At(0)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := datasets.Open("imagenet_segmentation",
		datasets.Options{Root: filepath.Join(t.TempDir(), "x")}); err == nil || !strings.Contains(err.Error(), "h5py") {
		t.Error(err)
	}
}
