package datasets_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
)

const devkit = "testdata/VOCdevkit"

func open(t *testing.T, name string, o datasets.Options) datasets.Dataset {
	t.Helper()
	ds, err := datasets.Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// Every data set has a small tree in testdata or in a folder of it, which is read whole.
func TestConformance(t *testing.T) {
	roots, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	roots = append([]string{"testdata"}, roots...)
	for _, e := range datasets.All {
		t.Run(e.Name, func(t *testing.T) {
			var errs error
			for _, root := range roots {
				ds, err := datasets.Open(e.Name, datasets.Options{Root: root})
				if err == nil {
					datasetstest.Run(t, ds)
					return
				}
				errs = errors.Join(errs, err)
			}
			t.Fatal("no tree in testdata: ", errs)
		})
	}
}

func TestVOCRoot(t *testing.T) {
	for _, root := range []string{"testdata", devkit, devkit + "/VOC2012"} {
		ds := open(t, "voc21", datasets.Options{Root: root})
		if got := ds.Info().Root; got != filepath.FromSlash(devkit+"/VOC2012") || ds.Len() != 8 {
			t.Errorf("root %s: found %s with %d samples", root, got, ds.Len())
		}
	}
}

// The two data sets differ by reduce_zero_label and nothing else.
func TestVOC20IsVOC21Reduced(t *testing.T) {
	with, without := open(t, "voc21", datasets.Options{Root: devkit}), open(t, "voc20", datasets.Options{Root: devkit})
	if diff := cmp.Diff(with.Info().Classes[1:], without.Info().Classes); diff != "" {
		t.Error(diff)
	}
	values := make(map[uint16]int)
	for i := range with.Len() {
		a, err := with.At(i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := without.At(i)
		if err != nil {
			t.Fatal(err)
		}
		for p, v := range a.Labels.Pix {
			want := uint16(labelmap.Ignore)
			if v != labelmap.Ignore && v != 0 {
				want = v - 1
			}
			if b.Labels.Pix[p] != want {
				t.Fatalf("%s: pixel %d is %d in voc21 and %d in voc20", a.ID, p, v, b.Labels.Pix[p])
			}
			values[v]++
		}
	}
	// Drawn: background, void and fourteen classes.
	if values[0] == 0 || values[labelmap.Ignore] == 0 || len(values) != 16 {
		t.Errorf("labels seen: %v", values)
	}
}

func TestSplitLists(t *testing.T) {
	for _, test := range []struct{ name, list, want, err string }{
		{"plain", "demo_000001\ndemo_000002\n", "demo_000001 demo_000002", ""},
		{"carriage returns, blanks, no last newline", "\ufeffdemo_000003 \r\n\r\n\tdemo_000001", "demo_000003 demo_000001",
			""},
		{"two columns", "/JPEGImages/demo_000002.jpg /SegmentationClassAug/demo_000002.png", "demo_000002", ""},
		{"columns disagree", "/JPEGImages/a.jpg /SegmentationClassAug/b.png", "",
			"not an image and the label of the same id"},
		{"image-set flags", "demo_000001 -1", "", "not an image and the label of the same id"},
		{"three columns", "a b c", "", "3 columns"},
		{"twice", "a\n\nb\na\n", "", `x.txt:4: id "a" is already on line 1`},
		{"upwards", "../../../etc/passwd", "", "is not an image id"},
		{"dots", "..", "", "is not an image id"},
		{"absolute", "/etc/passwd", "", "is not an image id"},
		{"backslash", `..\secret`, "", "is not an image id"},
		{"NUL", "a\x00b", "", "not a text"},
		{"empty", "\n\r\n", "", "the list is empty"},
		{"binary", "\xff\xff", "", "not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := copyDevkit(t)
			list := filepath.Join(root, "VOC2012/ImageSets/Segmentation/x.txt")
			put(t, list, []byte(test.list))
			ds, err := datasets.Open("voc21", datasets.Options{Root: root, Split: "x"})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), list) {
					t.Fatalf("got %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for i := range ds.Len() {
				ids = append(ids, ds.ID(i))
			}
			if got := strings.Join(ids, " "); got != test.want {
				t.Errorf("ids %q, want %q", got, test.want)
			}
		})
	}
}

// Label maps are taken from the folder that the list names, else from the official one, else from a grey copy; Info
// says what is not official. Copies hold 7 everywhere, so that one sees which was read.
func TestVOCLabelFolders(t *testing.T) {
	const official, aug, raw = "SegmentationClass", "SegmentationClassAug", "SegmentationClassRaw"
	plain, two := "demo_000001\n", "/JPEGImages/demo_000001.jpg /SegmentationClassAug/demo_000001.png"
	for _, test := range []struct {
		name, list  string
		folders     []string
		want, notes string
	}{
		{"official", plain, []string{official, aug, raw}, official, ""},
		{"augmented", plain, []string{aug, raw}, aug,
			"label maps are from SegmentationClassAug, not from VOC's SegmentationClass"},
		{"raw", plain, []string{raw}, raw, "label maps are from SegmentationClassRaw, not from VOC's SegmentationClass"},
		{"named", two, []string{official, aug}, aug,
			"label maps are from SegmentationClassAug, not from VOC's SegmentationClass"},
		{"named but missing", two, []string{official}, official,
			"label maps are from SegmentationClass; the split list names SegmentationClassAug, which is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := copyDevkit(t)
			if err := os.RemoveAll(filepath.Join(root, "VOC2012", official)); err != nil {
				t.Fatal(err)
			}
			grey := image.NewGray(image.Rect(0, 0, 120, 90))
			for i := range grey.Pix {
				grey.Pix[i] = 7
			}
			for _, f := range test.folders {
				put(t, filepath.Join(root, "VOC2012", f, "demo_000001.png"), encode(t, grey))
			}
			put(t, filepath.Join(root, "VOC2012/ImageSets/Segmentation/val.txt"), []byte(test.list))
			ds := open(t, "voc21", datasets.Options{Root: root})
			s, err := ds.At(0)
			if err != nil {
				t.Fatal(err)
			}
			if got := filepath.Base(filepath.Dir(s.LabelPath)); got != test.want || s.Labels.Pix[0] != 7 ||
				s.ID != "demo_000001" {
				t.Errorf("read %s from %s, label %d", s.ID, got, s.Labels.Pix[0])
			}
			if got := strings.Join(ds.Info().Notes, "; "); got != test.notes {
				t.Errorf("notes %q, want %q", got, test.notes)
			}
		})
	}
	root := copyDevkit(t)
	list := filepath.Join(root, "VOC2012/ImageSets/Segmentation/val.txt")
	for text, want := range map[string]string{
		two + "\n/JPEGImages/demo_000002.jpg /SegmentationClass/demo_000002.png": list +
			":2: label maps in SegmentationClass, above in SegmentationClassAug",
		"/demo_000002.jpg /../demo_000002.png": list + `:1: the label path "/../demo_000002.png" names no folder`,
	} {
		put(t, list, []byte(text))
		if _, err := datasets.Open("voc21", datasets.Options{Root: root}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// The digest is of the ids, not of the bytes of the list. sha256sum of "demo_000001\n".
func TestListSHA256(t *testing.T) {
	root := copyDevkit(t)
	put(t, filepath.Join(root, "VOC2012/ImageSets/Segmentation/x.txt"), []byte("\r\n demo_000001"))
	got := open(t, "voc20", datasets.Options{Root: root, Split: "x"}).Info().ListSHA256
	if want := "6cf1ea91910d94acea898ac9037429d5db6196924f75022e69d0338de6fad2c5"; got != want {
		t.Errorf("ListSHA256 = %s, want %s", got, want)
	}
}

func TestOpenErrors(t *testing.T) {
	partial := copyDevkit(t)
	if err := os.RemoveAll(filepath.Join(partial, "VOC2012/SegmentationClass")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		o    datasets.Options
		want []string
	}{
		{"voc12", datasets.Options{}, []string{`data set "voc12" is not known`, `did you mean "voc21"?`, "voc20"}},
		{"flickr30k", datasets.Options{}, []string{`"flickr30k" is not known (known: `}},
		{"voc21", datasets.Options{}, []string{"voc21: no data directory", "host.robots.ox.ac.uk",
			"SegmentationClass/<id>.png"}},
		{"voc21", datasets.Options{Root: "picture/testdata/pixels"},
			[]string{filepath.FromSlash("picture/testdata/pixels/VOCdevkit/VOC2012"), "VOCtrainval_11-May-2012.tar",
				"JPEGImages/<id>.jpg"}},
		{"voc21", datasets.Options{Root: partial}, []string{"SegmentationClass is missing", "unpacked only in part"}},
		{"voc21", datasets.Options{Root: devkit, Split: "test"}, []string{`split "test"`, "splits there are: val"}},
		{"voc21", datasets.Options{Root: devkit, Split: "../val"}, []string{`split: "../val" is not`}},
	} {
		_, err := datasets.Open(test.name, test.o)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %+v: got %v, want %q", test.name, test.o, err, want)
			}
		}
	}
}

func TestVerifySound(t *testing.T) {
	ds := open(t, "voc21", datasets.Options{Root: devkit})
	var last, total int
	faults := datasets.Inspect(t.Context(), ds, datasets.InspectOptions{Report: func(done, of int) {
		if done != last+1 {
			t.Errorf("report(%d) after %d", done, last)
		}
		last, total = done, of
	}}).Faults
	// Eight drawn pictures instead of VOC's 1449 is the only fault.
	want := []datasets.Fault{{Kind: datasets.WrongCount, Count: 8, Examples: []string{`the official split "val" has 1449`}, Remedy: faultsRemedy(faults)}}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if last != total || total != 16 {
		t.Errorf("reported %d of %d, want 16 of 16", last, total)
	}
}

func faultsRemedy(f []datasets.Fault) string {
	if len(f) == 0 {
		return ""
	}
	return f[0].Remedy
}

// Every sample is broken in its own way; all of it is found in one go.
func TestVerifyFindsEveryFault(t *testing.T) {
	root := copyDevkit(t)
	img := func(n string) string { return filepath.Join(root, "VOC2012/JPEGImages/demo_00000"+n+".jpg") }
	label := func(n string) string { return filepath.Join(root, "VOC2012/SegmentationClass/demo_00000"+n+".png") }
	remove(t, img("1"))
	remove(t, label("2"))
	grey := image.NewGray(image.Rect(0, 0, 96, 128)) // picture 3 is 128x96
	put(t, label("3"), encode(t, grey))
	grey = image.NewGray(image.Rect(0, 0, 121, 91))
	grey.SetGray(7, 5, color.Gray{21})
	put(t, label("4"), encode(t, grey))
	put(t, label("5"), encode(t, image.NewNRGBA(image.Rect(0, 0, 90, 120))))
	put(t, img("6"), []byte("<html>login</html>"))
	truncate(t, img("7"))
	put(t, label("8"), encode(t, image.NewGray(image.Rect(0, 0, 50, 60))))
	got := make(map[datasets.FaultKind]string)
	for _, f := range datasets.Inspect(t.Context(), open(t, "voc21", datasets.Options{Root: root, Split: "val"}),
		datasets.InspectOptions{}).Faults {
		got[f.Kind] = f.Error()
	}
	for kind, parts := range map[datasets.FaultKind][]string{
		datasets.WrongCount:   {"1449"},
		datasets.MissingImage: {": 1 (", img("1")},
		datasets.MissingLabel: {": 1 (", label("2")},
		datasets.SizeMismatch: {": 2 (", label("3") + " is 96x128; one of them was rotated, likely by its EXIF orientation",
			label("8")},
		datasets.LabelValue: {": 1 (",
			label("4") + ": label value is out of range: 21 at x 7, y 5; allowed are 0..20, 255"},
		datasets.ColourLabels: {": 1 (", label("5") + ": label map is stored as colours"},
		datasets.Unreadable:   {": 2 (", img("6") + ": this is HTML", img("7") + ": truncated"},
	} {
		for _, part := range parts {
			if !strings.Contains(got[kind], part) {
				t.Errorf("%s: got %q, want %q", kind, got[kind], part)
			}
		}
		delete(got, kind)
	}
	if len(got) > 0 {
		t.Errorf("unexpected faults: %v", got)
	}
}

func TestVerifyStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	datasets.Inspect(ctx, open(t, "voc21", datasets.Options{Root: devkit}),
		datasets.InspectOptions{Report: func(done, total int) {
			calls++
			cancel()
		}})
	if calls == 0 || calls >= 16 {
		t.Errorf("%d looks after being cancelled at the first", calls)
	}
}

// shared is the folder of real sample files; the test skips without it.
func shared(t *testing.T) string {
	t.Helper()
	return datasets.Shared(t)
}

// The label histogram of VOC's 2007_000129, recorded with numpy from the official PNG; its
// converted 8-bit grey twin holds the same numbers.
func TestRealVOC(t *testing.T) {
	dir := shared(t)
	ds := open(t, "voc21", datasets.Options{Root: filepath.Join(dir, "samples/voc")})
	s, err := ds.At(0)
	if err != nil {
		t.Fatal(err)
	}
	histogram := make(map[uint16]int)
	for _, v := range s.Labels.Pix {
		histogram[v]++
	}
	want := map[uint16]int{0: 54389, 2: 34183, 15: 61143, labelmap.Ignore: 17285}
	if diff := cmp.Diff(want, histogram); diff != "" || s.ID != "2007_000129" {
		t.Errorf("%s (-want +got):\n%s", s.ID, diff)
	}
	palette, err := labelmap.Read(s.LabelPath)
	if err != nil {
		t.Fatal(err)
	}
	grey, err := labelmap.Read(filepath.Join(dir, "samples/voc_gray_labels/2007_000129.png"))
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(palette, grey) {
		t.Error("palette and grey label maps differ")
	}
	grey, err = labelmap.Read(filepath.Join(dir, "samples/voc/VOCdevkit/VOC2012/SegmentationClassAug/2007_000129.png"))
	if err != nil || !cmp.Equal(palette, grey) {
		t.Errorf("SegmentationClass and SegmentationClassAug differ (%v)", err)
	}
}

func TestRealSplitList(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(shared(t), "samples/voc/lists/drsleep_val.txt"))
	if err != nil {
		t.Fatal(err)
	}
	root := copyDevkit(t)
	put(t, filepath.Join(root, "VOC2012/ImageSets/Segmentation/val.txt"), data)
	ds := open(t, "voc20", datasets.Options{Root: root})
	if ds.Len() != ds.Info().Official || ds.ID(0) != "2007_000033" || ds.ID(1448) != "2011_003271" {
		t.Errorf("%d ids from %s to %s", ds.Len(), ds.ID(0), ds.ID(ds.Len()-1))
	}
}

func copyDevkit(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := filepath.WalkDir(devkit, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(devkit, path)
		put(t, filepath.Join(dir, rel), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, st.Size()*2/3); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
