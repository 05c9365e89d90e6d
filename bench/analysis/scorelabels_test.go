package analysis

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ovbench/metrics"
)

// writeMap writes a label PNG, grey, or RGB with R + 256 G.
func writeMap(t *testing.T, path string, w int, rgb bool, pix ...int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	rect := image.Rect(0, 0, w, len(pix)/w)
	grey, colours := image.NewGray(rect), image.NewRGBA(rect)
	for i, v := range pix {
		grey.Pix[i] = uint8(v)
		colours.SetRGBA(i%w, i/w, color.RGBA{uint8(v), uint8(v >> 8), 0, 255})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	var img image.Image = grey
	if rgb {
		img = colours
	}
	if err := png.Encode(b, img); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}

// quiet is a Progress that says nothing.
type quiet struct{}

func (quiet) Start(string, int) {}
func (quiet) At(int)            {}

func scoreOf(f *FileScores, name string) float64 {
	for _, s := range f.Scores {
		if s.Name == name {
			return s.Value
		}
	}
	return math.NaN()
}

// Worked by hand from the conventions' definitions: three classes of which the third is predicted and never true.
func TestScoreLabelsConventions(t *testing.T) {
	dir := t.TempDir()
	truth, pred := filepath.Join(dir, "t"), filepath.Join(dir, "p")
	writeMap(t, filepath.Join(truth, "a.png"), 2, false, 0, 0, 1, 255)
	writeMap(t, filepath.Join(pred, "a.png"), 2, false, 0, 2, 1, 2)
	writeMap(t, filepath.Join(truth, "sub", "b.png"), 2, false, 1, 1)
	writeMap(t, filepath.Join(pred, "sub", "b.png"), 2, false, 1, 0)
	// Class 0: 1 hit, 2 true, 2 predicted. Class 1: 2 hits, 3 true, 2 predicted. Class 2: 0 hits, 0 true, 1 predicted.
	zero, one := 1.0/3, 2.0/3
	for _, c := range []struct {
		convention string
		classes    int
		want       float64
	}{
		{"mmseg", 3, (zero + one + 0) / 3}, {"cityscapes", 3, (zero + one) / 3}, {"cocostuff", 3, (zero + one) / 2},
		{"ade20k", 4, (zero + one) / 4}, {"mmseg", 4, (zero + one) / 3},
	} {
		f, err := ScoreLabels(t.Context(), LabelScoring{Truth: truth, Pred: pred, Classes: c.classes, Ignore: 255,
			Convention: c.convention}, quiet{})
		if err != nil {
			t.Fatal(err)
		}
		if got := scoreOf(f, "mIoU"); math.Abs(got-c.want) > 1e-12 || f.Images != 2 {
			t.Errorf("%s with %d classes: mIoU %v of %d images, want %v", c.convention, c.classes, got, f.Images, c.want)
		}
	}
	// The devkit's numbering from 1, on both sides; 0 is other.
	writeMap(t, filepath.Join(dir, "t1", "a.png"), 2, false, 1, 1, 2, 0)
	writeMap(t, filepath.Join(dir, "p1", "a.png"), 2, false, 1, 0, 2, 2)
	f, err := ScoreLabels(t.Context(), LabelScoring{Truth: filepath.Join(dir, "t1"), Pred: filepath.Join(dir, "p1"),
		Classes: 2, Ignore: 255, ReduceZero: true, Convention: "ade20k"}, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if got := scoreOf(f, "mIoU"); got != 0.75 {
		t.Errorf("ade20k from 1: mIoU %v, want (1/2 + 1) / 2", got)
	}
}

func TestScoreLabelsFormats(t *testing.T) {
	dir := t.TempDir()
	city := filepath.Join(dir, "gtFine", "val", "x")
	writeMap(t, filepath.Join(city, "x_000000_000001_gtFine_labelIds.png"), 2, false, 7, 7, 26, 26)
	writeMap(t, filepath.Join(city, "x_000000_000001_gtFine_color.png"), 2, true, 1, 2, 3, 4)
	writeMap(t, filepath.Join(dir, "out", "x_000000_000001_pred.png"), 2, false, 7, 8, 26, 26)
	f, err := ScoreLabels(t.Context(), LabelScoring{Truth: filepath.Join(dir, "gtFine"), Pred: filepath.Join(dir, "out"),
		Classes: 34, Ignore: 255, Convention: "cityscapes"}, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if got := scoreOf(f, "mIoU"); got != 0.5 { // road 1/2, sidewalk 0, car 1
		t.Errorf("cityscapes: mIoU %v, want (1/2 + 0 + 1) / 3 = 0.5", got)
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "iIoU is left out: 1 of 1") {
		t.Errorf("warnings %q", f.Warnings)
	}
	writeMap(t, filepath.Join(dir, "is", "a.png"), 2, true, 300, 300, 0, 1000)
	writeMap(t, filepath.Join(dir, "isp", "a.png"), 2, true, 300, 0, 0, 5)
	f, err = ScoreLabels(t.Context(), LabelScoring{Truth: filepath.Join(dir, "is"), Pred: filepath.Join(dir, "isp"),
		Classes: 301, Ignore: 1000, Convention: "imagenet_s"}, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	// Both classes have IoU 1/2; the 299 absent ones count as 0.
	if got, want := scoreOf(f, "mIoU"), 1.0/301; math.Abs(got-want) > 1e-9 {
		t.Errorf("imagenet_s: mIoU %v, want %v", got, want)
	}
	writeMap(t, filepath.Join(dir, "out", "x_000000_000001_other.png"), 2, false, 7, 8, 26, 26)
	_, err = ScoreLabels(t.Context(), LabelScoring{Truth: filepath.Join(dir, "gtFine"), Pred: filepath.Join(dir, "out"),
		Classes: 34, Ignore: 255, Convention: "cityscapes"}, quiet{})
	if err == nil || !strings.Contains(err.Error(), "several predictions") {
		t.Errorf("error %v", err)
	}
}

// writeMatrix writes a float64 .npy.
func writeMatrix(t *testing.T, path string, rows, cols int, values ...float64) {
	t.Helper()
	header := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", rows, cols)
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	b := []byte("\x93NUMPY\x01\x00v\x00" + header)
	for _, v := range values {
		u := math.Float64bits(v)
		for k := range 8 {
			b = append(b, byte(u>>(8*k)))
		}
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestScoreTags(t *testing.T) {
	truth, pred := filepath.Join(t.TempDir(), "t.npy"), filepath.Join(t.TempDir(), "p.npy")
	writeMatrix(t, truth, 3, 2, 1, 0, 0, 0, 1, -1)
	// The two scores of class 0 differ in the 17th bit of float32's precision and beyond: float32 would tie them.
	writeMatrix(t, pred, 3, 2, 0.5+1e-12, 1, 0.5, 2, 0.1, 3)
	f, err := ScoreTags(TagScoring{Truth: truth, Pred: pred, Difficult: metrics.DifficultSkip})
	if err != nil {
		t.Fatal(err)
	}
	// Class 0 by hand: precision 1 at recall 1/2, 2/3 at recall 1. Class 1 has no positives.
	if got, want := scoreOf(f, "mAP"), (1+2.0/3)/2; math.Abs(got-want) > 1e-12 ||
		f.Counts["classes_without_positives"] != 1 {
		t.Errorf("mAP %v, want %v; counts %v", got, want, f.Counts)
	}
	writeMatrix(t, truth, 3, 2, 1, 0, 0, 7, 1, -1)
	if _, err := ScoreTags(TagScoring{Truth: truth, Pred: pred, Difficult: metrics.DifficultSkip}); err == nil ||
		!strings.Contains(err.Error(), "value 7 at [1, 1]") {
		t.Errorf("error %v", err)
	}
	writeMatrix(t, truth, 2, 3, 1, 0, 0, 1, 1, -1)
	if _, err := ScoreTags(TagScoring{Truth: truth, Pred: pred, Difficult: metrics.DifficultSkip}); err == nil ||
		!strings.Contains(err.Error(), "has shape [2 3]") {
		t.Errorf("error %v", err)
	}
}

// A folder of Cityscapes holds label ids and train ids side by side; the number of classes says which of them is the
// truth, and a truth of the other kind is refused. Worked by hand: road and sidewalk, of which the second is half
// right.
func TestScoreLabelsCityscapesIDs(t *testing.T) {
	dir := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	const city = "x_000000_000001"
	for _, folder := range []string{"both", "ids"} {
		writeMap(t, at(folder, city+"_gtFine_labelIds.png"), 2, false, 7, 7, 8, 8)
	}
	for _, folder := range []string{"both", "train"} {
		writeMap(t, at(folder, city+"_gtFine_labelTrainIds.png"), 2, false, 0, 0, 1, 1)
	}
	writeMap(t, at("pred-ids", city+"_leftImg8bit.png"), 2, false, 7, 7, 8, 7)
	writeMap(t, at("pred-train", city+"_leftImg8bit.png"), 2, false, 0, 0, 1, 0)
	const half = (2.0/3 + 1.0/2) / 2
	for _, c := range []struct {
		truth, pred, convention string
		classes                 int
		want                    float64
		fault                   string
	}{
		{"both", "pred-train", "cityscapes", 19, half, ""},
		{"both", "pred-train", "mmseg", 19, half, ""},
		{"both", "pred-ids", "cityscapes", 34, half, ""},
		{"ids", "pred-ids", "cityscapes", 19, half, ""},
		{"ids", "pred-ids", "cityscapes", 34, half, ""},
		{"train", "pred-train", "cityscapes", 19, half, ""},
		{"train", "pred-train", "cityscapes", 34, 0, "the truth is of train ids"},
		{"ids", "pred-train", "mmseg", 19, 0, "the truth is of label ids"},
	} {
		f, err := ScoreLabels(t.Context(), LabelScoring{Truth: at(c.truth), Pred: at(c.pred), Classes: c.classes, Ignore: -1,
			Convention: c.convention}, quiet{})
		switch {
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%+v: error %v", c, err)
		case c.fault == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case c.fault == "" && math.Abs(scoreOf(f, "mIoU")-c.want) > 1e-12:
			t.Errorf("%+v: mIoU %v", c, scoreOf(f, "mIoU"))
		}
	}
}

// Values of the truth that are no class and not ignored are named as they are stored, and none passes for the one that
// stands for void inside of the program.
func TestScoreLabelsStrays(t *testing.T) {
	dir := t.TempDir()
	truth := filepath.Join(dir, "t")
	if err := os.Mkdir(truth, 0o777); err != nil {
		t.Fatal(err)
	}
	write := func(values ...uint16) {
		img := image.NewGray16(image.Rect(0, 0, len(values), 1))
		for x, v := range values {
			img.SetGray16(x, 0, color.Gray16{Y: v})
		}
		f, err := os.Create(filepath.Join(truth, "a.png"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		values     []uint16
		convention string
		classes    int
		reduce     bool
		want       string
	}{
		{[]uint16{0, 1, 65535}, "mmseg", 2, false,
			"label 65535 at x 2, y 0, but there are 2 classes (0..1) and label 255 is ignored"},
		{[]uint16{0, 65535}, "cityscapes", 34, false, "label 65535 at x 1, y 0, but label ids are 0..33"},
		{[]uint16{0, 3, 255}, "mmseg", 2, true, "label 3 at x 1, y 0, but there are 2 classes (1..2)"},
		{[]uint16{0, 65535}, "mmseg", 2, true, "label 65535 at x 1"},
		{[]uint16{0, 2, 1}, "cocostuff", 2, false, "label 2 at x 1"},
	} {
		write(c.values...)
		_, err := ScoreLabels(t.Context(), LabelScoring{Truth: truth, Pred: truth, Classes: c.classes, Ignore: -1,
			ReduceZero: c.reduce, Convention: c.convention}, quiet{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v under %s: error %v, want %q", c.values, c.convention, err, c.want)
		}
	}
	write(0, 255, 299)
	f, err := ScoreLabels(t.Context(), LabelScoring{Truth: truth, Pred: truth, Classes: 300, Ignore: -1,
		Convention: "mmseg"}, quiet{})
	if err != nil || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "though it is one of 300 classes") ||
		f.Counts["undefined_classes"] != 298 {
		t.Errorf("warnings %q, counts %v, error %v", f.Warnings, f.Counts, err)
	}
}

// Every convention tells the same counts and lists classes.
func TestScoreLabelsCounts(t *testing.T) {
	dir := t.TempDir()
	truth, pred := filepath.Join(dir, "t"), filepath.Join(dir, "p")
	for _, rgb := range []bool{false, true} {
		writeMap(t, filepath.Join(truth, "a.png"), 4, rgb, 7, 7, 8, 8)
		writeMap(t, filepath.Join(pred, "a.png"), 4, rgb, 7, 50, 8, 8)
		writeMap(t, filepath.Join(truth, "b.png"), 1, rgb, 255)
		writeMap(t, filepath.Join(pred, "b.png"), 1, rgb, 7)
		for _, v := range metrics.Conventions {
			if rgb != (v.Name == "imagenet_s") {
				continue
			}
			f, err := ScoreLabels(t.Context(), LabelScoring{Truth: truth, Pred: pred, Classes: 34, Ignore: 255,
				Convention: v.Name}, quiet{})
			if err != nil {
				t.Fatal(err)
			}
			undefined := map[string]int{"mmseg": 32, "cityscapes": 17, "cocostuff": 32}[v.Name] // of 34, or of 19 classes
			if f.Counts["void_images"] != 1 || f.Counts["pixels_out_of_range"] != 1 ||
				f.Counts["undefined_classes"] != undefined || len(f.Classes) == 0 {
				t.Errorf("%s: counts %v of %d classes", v.Name, f.Counts, len(f.Classes))
			}
			if v.Name != "cityscapes" && math.IsNaN(scoreOf(f, "mAcc")) {
				t.Errorf("%s has no mAcc", v.Name)
			}
		}
	}
}

// With -1 for absent, as scikit-learn takes it too, every class would be perfect: all images but the positive ones are
// left out.
func TestScoreTagsWithoutZeros(t *testing.T) {
	truth, pred := filepath.Join(t.TempDir(), "t.npy"), filepath.Join(t.TempDir(), "p.npy")
	writeMatrix(t, truth, 3, 1, 1, -1, 1)
	writeMatrix(t, pred, 3, 1, 0.3, 0.2, 0.1)
	_, err := ScoreTags(TagScoring{Truth: truth, Pred: pred, Difficult: metrics.DifficultSkip})
	if err == nil || !strings.Contains(err.Error(), "--absent -1") {
		t.Errorf("error %v", err)
	}
	f, err := ScoreTags(TagScoring{Truth: truth, Pred: pred, Difficult: metrics.DifficultNegative})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := scoreOf(f,
		"mAP"), (1+2.0/3)/2; math.Abs(got-want) > 1e-12 { // precision 1 at recall 1/2, 2/3 at recall 1
		t.Errorf("mAP %v, want %v", got, want)
	}
}

// Two classes, six images. What VOC writes as 1, -1, 0 is what the default reads as 1, 0, -1; worked by hand: of the
// class's pictures that count, .9 and .5 are present and .7 and .1 absent, so that AP is (1 + 2/3) / 2.
func TestScoreTagsAbsent(t *testing.T) {
	dir := t.TempDir()
	ours, voc, pred := filepath.Join(dir, "ours.npy"), filepath.Join(dir, "voc.npy"), filepath.Join(dir, "p.npy")
	writeMatrix(t, ours, 6, 1, 1, 0, 1, 0, -1, 0)
	writeMatrix(t, voc, 6, 1, 1, -1, 1, -1, 0, -1)
	writeMatrix(t, pred, 6, 1, 0.9, 0.7, 0.5, 0.1, 0.8, 0.05)
	for _, test := range []struct {
		truth         string
		absent        Absent
		fault, warned string
		want          float64
	}{
		{ours, AbsentUnsaid, "", "", 5.0 / 6},
		{ours, AbsentZero, "", "", 5.0 / 6},
		{voc, AbsentNegative, "", "", 5.0 / 6},
		{voc, AbsentUnsaid, "3 values are -1 and 1 are 0", "", 0},
		{voc, AbsentZero, "", "more values are difficult than are absent", 11.0 / 12},
		// .9, .8, .5 of two present: (1 + 2/3) / 2 …
		{ours, AbsentNegative, "", "more values are not counted than are absent", 0},
	} {
		f, err := ScoreTags(TagScoring{Truth: test.truth, Pred: pred, Absent: test.absent, Difficult: metrics.DifficultSkip})
		if test.fault != "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) || !strings.Contains(err.Error(), "--absent -1") {
				t.Errorf("%q: %v, want %q", test.absent, err, test.fault)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Join(f.Warnings, "\n"); !strings.Contains(warned, test.warned) || test.warned == "" &&
			warned != "" {
			t.Errorf("%q: warnings %q, want %q", test.absent, warned, test.warned)
		}
		if got := scoreOf(f, "mAP"); test.warned == "" && math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%q: mAP %v, want %v", test.absent, got, test.want)
		}
	}
}

// What the stored values give away. The right IoU of the shifted predictions is that of the same predictions numbered
// from 0.
func TestScoreLabelsNamesMistakes(t *testing.T) {
	dir := t.TempDir()
	pair := func(name string, truth, pred []int) LabelScoring {
		s := LabelScoring{Truth: filepath.Join(dir, name, "t"), Pred: filepath.Join(dir, name, "p"), Convention: "mmseg",
			Classes: 2, Ignore: -1}
		writeMap(t, filepath.Join(s.Truth, "a.png"), 2, false, truth...)
		writeMap(t, filepath.Join(s.Pred, "a.PNG"), 2, false, pred...)
		return s
	}
	masks := pair("masks", []int{0, 255, 255, 0}, []int{0, 255, 0, 0})
	wholeTruth := pair("truth", []int{0, 255, 255, 0}, []int{0, 1, 0, 0})
	wholePred := pair("pred", []int{0, 1, 1, 0}, []int{0, 255, 0, 0})
	sure := masks
	sure.Ignore = 255
	sure.Pred = wholeTruth.Pred
	ade := pair("ade", []int{0, 1, 2, 3}, []int{1, 1, 2, 3})
	ade.Classes, ade.ReduceZero = 3, true
	devkit := ade
	devkit.Convention = "ade20k"
	fromOne := pair("one", []int{1, 2, 2, 1}, []int{0, 1, 1, 0})
	few := pair("few", []int{1, 2, 2, 1}, []int{0, 1, 1, 0})
	few.Classes = 5
	trainIDs := pair("train", []int{0, 1, 8, 13}, []int{7, 8, 21, 26})
	trainIDs.Convention, trainIDs.Classes = "cityscapes", 34
	test := pair("test", []int{0, 0, 0, 0}, []int{7, 8, 21, 26})
	test.Convention, test.Classes = "cityscapes", 34
	imageNetS := pair("is", []int{0, 1, 2, 2}, []int{1, 1, 2, 3})
	imageNetS.Convention, imageNetS.Classes = "imagenet_s", 3
	for _, test := range []struct {
		s             LabelScoring
		fault, warned string
		want          float64
	}{
		{masks, "the truth holds 0 and 255 alone", "", 0},
		{wholeTruth, "store class 1 as 1", "", 0},
		{wholePred, "the predictions hold 0 and 255 alone", "", 0},
		{sure, "", "the truth holds no value of a class but 0", 1},
		{ade, "", "the predictions are numbered from 1", 0},
		{devkit, "", "", 1},
		{fromOne, "say --reduce-zero-label", "", 0},
		{few, "", "no pixel of the truth is 0", 0},
		{trainIDs, "", "it looks like train ids", 0},
		{test, "", "the truth of the test split is not public", 0},
		{imageNetS, "", "the predictions are numbered from 1", 0},
	} {
		f, err := ScoreLabels(t.Context(), test.s, quiet{})
		if test.fault != "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%s: %v, want %q", test.s.Truth, err, test.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.s.Truth, err)
			continue
		}
		if warned := strings.Join(f.Warnings, "\n"); !strings.Contains(warned, test.warned) || test.warned == "" &&
			warned != "" {
			t.Errorf("%s: warnings %q, want %q", test.s.Truth, warned, test.warned)
		} else if strings.Contains(warned, "one more than the last class") &&
			strings.Contains(warned, "as its neighbour; number both") {
			t.Errorf("%s: two remedies for one mistake: %q", test.s.Truth, warned)
		}
		if got := scoreOf(f, "mIoU"); test.want > 0 && math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: mIoU %v, want %v", test.s.Truth, got, test.want)
		}
	}
}

// Folders are put together from links, and hold other files too; a link back up ends nothing.
func TestScoreLabelsListing(t *testing.T) {
	dir := t.TempDir()
	for _, side := range []string{"t", "p"} {
		writeMap(t, filepath.Join(dir, side, "a.png"), 2, false, 0, 1)
		writeMap(t, filepath.Join(dir, side+"_elsewhere", "b.Png"), 2, false, 0, 1)
		writeMap(t, filepath.Join(dir, side, ".hidden.png"), 2, false, 7, 7)
		for name, to := range map[string]string{"linked": filepath.Join(dir, side+"_elsewhere"), "loop": filepath.Join(dir,
			side)} {
			if err := os.Symlink(to, filepath.Join(dir, side, name)); err != nil {
				t.Skip(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "p", "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := ScoreLabels(t.Context(), LabelScoring{Truth: filepath.Join(dir, "t"), Pred: filepath.Join(dir, "p"),
		Classes: 2, Convention: "mmseg", Ignore: -1}, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Images != 2 || len(f.Warnings) != 1 ||
		!strings.Contains(f.Warnings[0], "1 files left out, the first is notes.txt") {
		t.Errorf("%d images, warnings %q", f.Images, f.Warnings)
	}
}
