package datasets

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vocMini holds VOC2007 with lists of classes and VOC2012 without, four drawings each.
const vocMini = "testdata/voc/VOCdevkit"

// vocMiniScenes are drawn again for vocMini: numbers of scenes, and which of their things are difficult.
var vocMiniScenes = map[string][]struct {
	scene     int
	difficult string
}{
	"VOC2007": {{3, "person"}, {4, ""}, {6, "bird"}, {7, ""}},
	"VOC2012": {{1, ""}, {2, "aeroplane"}, {5, ""}, {8, ""}},
}

// bounds is the box around what is seen of a thing, in pixels counted from 1, both ends inside.
func (s scene) bounds(thing int) (x0, y0, x1, y1 int) {
	x0, y0 = s.w, s.h
	for y := range s.h {
		for x := range s.w {
			if s.thingAt(x, y) == thing {
				x0, y0, x1, y1 = min(x0, x+1), min(y0, y+1), max(x1, x+1), max(y1, y+1)
			}
		}
	}
	return
}

// xml2007 is an annotation as the development kit writes it.
func (s scene) xml2007(difficult string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<annotation>\n\t<size>\n\t\t<width>%d</width>\n\t\t<height>%d</height>\n\t\t<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n", s.w, s.h)
	for i, t := range s.things {
		x0, y0, x1, y1 := s.bounds(i)
		flag := 0
		if t.class == difficult {
			flag = 1
		}
		fmt.Fprintf(&b, "\t<object>\n\t\t<name>%s</name>\n\t\t<difficult>%d</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>%d</xmin>\n\t\t\t<ymin>%d</ymin>\n\t\t\t<xmax>%d</xmax>\n\t\t\t<ymax>%d</ymax>\n\t\t</bndbox>\n\t</object>\n", t.class, flag, x0, y0, x1, y1)
	}
	return b.String() + "</annotation>\n"
}

// xml2012 has all that varies in VOC 2012: Latin-1, sides in another order, fractions, no difficult, boxes of parts.
func (s scene) xml2012(difficult string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<annotation>\n\t<source><annotation>Jos\xe9</annotation></source>\n")
	for i, t := range s.things {
		x0, y0, x1, y1 := s.bounds(i)
		flag := ""
		if t.class == difficult {
			flag = "<difficult>1</difficult>"
		}
		fmt.Fprintf(&b, "\t<object>\n\t\t<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>\n\t\t<bndbox><xmax>%d</xmax><xmin>%d</xmin><ymax>%d</ymax><ymin>%d.25</ymin></bndbox>\n\t\t%s<name>%s</name>\n\t</object>\n", x1, x0, y1, y0, flag, t.class)
	}
	return b.String() + fmt.Sprintf("\t<size><height>%d</height><width>%d</width></size>\n</annotation>\n", s.h, s.w)
}

// vocMiniFiles draws vocMini: contents by path.
func vocMiniFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	lists := make(map[string]*strings.Builder)
	list := func(name string) *strings.Builder {
		if lists[name] == nil {
			lists[name] = new(strings.Builder)
		}
		return lists[name]
	}
	for year, chosen := range vocMiniScenes {
		for k, c := range chosen {
			s := scenes[c.scene-1]
			id, split, text := fmt.Sprintf("%06d", k+1), "test", s.xml2007(c.difficult)
			if year == "VOC2012" {
				id, split, text = fmt.Sprintf("2012_%06d", k+1), "val", s.xml2012(c.difficult)
			}
			var picture bytes.Buffer
			if err := jpeg.Encode(&picture, s.picture(), &jpeg.Options{Quality: 90}); err != nil {
				t.Fatal(err)
			}
			files[year+"/JPEGImages/"+id+".jpg"] = picture.Bytes()
			files[year+"/Annotations/"+id+".xml"] = []byte(text)
			fmt.Fprintln(list(year+"/ImageSets/Main/"+split+".txt"), id)
			for _, class := range vocClasses[1:] {
				if year == "VOC2007" { // two blanks before 1 and 0, as in the development kit
					fmt.Fprintf(list(year+"/ImageSets/Main/"+class+"_test.txt"), "%s %2d\n", id, s.flag(class, c.difficult))
				}
			}
		}
	}
	for name, text := range lists {
		files[name] = []byte(text.String())
	}
	return files
}

// flag is the number of a class in ImageSets/Main.
func (s scene) flag(class, difficult string) int {
	for _, t := range s.things {
		switch {
		case t.class == class && class == difficult:
			return 0
		case t.class == class:
			return 1
		}
	}
	return -1
}

// TestGenerateVOCMini draws vocMini, or with -update writes it.
func TestGenerateVOCMini(t *testing.T) {
	for name, want := range vocMiniFiles(t) {
		path := filepath.Join(vocMini, filepath.FromSlash(name))
		if *update {
			write(t, path, want)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(name) != ".jpg" && !bytes.Equal(got, want) {
			t.Errorf("%s differs from what is drawn; run with -update", path)
		}
	}
}

// vocMiniCopy is a copy of vocMini that a test may change, and its path for VOC2007.
func vocMiniCopy(t *testing.T) (root, year2007 string) {
	t.Helper()
	root = t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "VOCdevkit"), os.DirFS(vocMini)); err != nil {
		t.Fatal(err)
	}
	return root, filepath.Join(root, "VOCdevkit", "VOC2007")
}

// tagged writes tags as "class=1 class=0" of those not absent.
func tagged(classes []string, tags []Tag) string {
	var b []string
	for c, t := range tags {
		switch t {
		case Present:
			b = append(b, classes[c])
		case Difficult:
			b = append(b, classes[c]+"?")
		}
	}
	return strings.Join(b, " ")
}

// Boxes are read off the shapes in scenes: the sheep's oval of radii 26, 17 around 44, 50 and the oval of 9, 8 around
// 74, 40 reach from 18, 32 to 83, 82 with its legs; edges are one more at the far side.
func TestVOC2007(t *testing.T) {
	ds, err := Open("voc2007", Options{Root: "testdata/voc"})
	if err != nil {
		t.Fatal(err)
	}
	if info := ds.Info(); info.Split != "test" || info.Official != 4952 || len(info.Notes) != 0 || info.Background {
		t.Errorf("%+v", info)
	}
	for i, want := range []string{"car person?", "dog sheep", "bird? boat", "horse person"} {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if got := tagged(ds.Info().Classes, s.Tags); got != want || len(s.Tags) != 20 {
			t.Errorf("%s: tags %q, want %q", s.ID, got, want)
		}
		if s.Labels.Pix != nil || s.LabelPath != "" {
			t.Errorf("%s: has label maps", s.ID)
		}
	}
	s, err := ds.At(1)
	if err != nil {
		t.Fatal(err)
	}
	want := []Object{{Class: 16, X0: 18, Y0: 32, X1: 84, Y1: 82}, {Class: 11, X0: 79, Y0: 47, X1: 120, Y1: 86}}
	if diff := cmp.Diff(want, s.Objects); diff != "" {
		t.Errorf("boxes of %s (-want +got):\n%s", s.ID, diff)
	}
}

// VOC 2012's tags come from the annotations here. The bottle's shapes are box(50,28,66,58) and box(55,12,61,28);
// ymin is written as 13.25.
func TestVOC2012(t *testing.T) {
	ds, err := Open("voc2012", Options{Root: "testdata/voc"})
	if err != nil {
		t.Fatal(err)
	}
	if info := ds.Info(); info.Split != "val" || info.Official != 5823 || len(info.Notes) != 1 ||
		!strings.Contains(info.Notes[0], "derived from the annotations") {
		t.Errorf("%+v", info)
	}
	for i, want := range []string{"bottle diningtable", "aeroplane?", "pottedplant tvmonitor", "cat sofa"} {
		s, err := ds.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if got := tagged(ds.Info().Classes, s.Tags); got != want {
			t.Errorf("%s: tags %q, want %q", s.ID, got, want)
		}
	}
	s, err := ds.At(0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Object{Class: 4, X0: 50, Y0: 12.25, X1: 66, Y1: 58}, s.Objects[1]); diff != "" {
		t.Errorf("the bottle (-want +got):\n%s", diff)
	}
}

// The lists and the annotations of one tree say the same.
func TestVOCTagsOfListsAndAnnotations(t *testing.T) {
	root, year := vocMiniCopy(t)
	lists, err := Open("voc2007", Options{Root: "testdata/voc"})
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range vocClasses[1:] {
		if err := os.Remove(filepath.Join(year, "ImageSets", "Main", class+"_test.txt")); err != nil {
			t.Fatal(err)
		}
	}
	derived, err := Open("voc2007", Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	for i := range lists.Len() {
		a, err := lists.At(i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := derived.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.Tags, b.Tags); diff != "" {
			t.Errorf("%s (-lists +annotations):\n%s", a.ID, diff)
		}
	}
}

// One object that is not difficult makes a class present, in any order.
func TestVOCTagsOf(t *testing.T) {
	easy, hard := Object{Class: 2}, Object{Class: 2, Difficult: true}
	for _, test := range []struct {
		objects []Object
		want    Tag
	}{
		{nil, Absent}, {[]Object{easy}, Present}, {[]Object{hard}, Difficult}, {[]Object{hard, hard}, Difficult},
		{[]Object{easy, hard}, Present}, {[]Object{hard, easy}, Present},
	} {
		if got := vocTagsOf(test.objects)[2]; got != test.want {
			t.Errorf("%v: %d, want %d", test.objects, got, test.want)
		}
	}
}

func TestVOCTagsWithoutAnnotations(t *testing.T) {
	root, year := vocMiniCopy(t)
	if err := os.RemoveAll(filepath.Join(year, "Annotations")); err != nil {
		t.Fatal(err)
	}
	ds, err := Open("voc2007", Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ds.At(0)
	if err != nil || s.Objects != nil || tagged(vocClasses[1:], s.Tags) != "car person?" ||
		!strings.Contains(ds.Info().Notes[0], "no boxes") {
		t.Errorf("%v, %v, %v, notes %q", err, s.Objects, s.Tags, ds.Info().Notes)
	}
}

func TestVOCTagsErrors(t *testing.T) {
	type edit = func(t *testing.T, year string)
	replace := func(name, text string) edit {
		return func(t *testing.T, year string) { write(t, filepath.Join(year, filepath.FromSlash(name)), []byte(text)) }
	}
	drop := func(names ...string) edit {
		return func(t *testing.T, year string) {
			for _, name := range names {
				if err := os.RemoveAll(filepath.Join(year, filepath.FromSlash(name))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, test := range []struct {
		name string
		edit edit
		o    Options
		want []string
	}{
		{"no root", nil, Options{}, []string{"no data directory", "VOCtest_06-Nov-2007.tar", "VOCdevkit/VOC2007/",
			"ImageSets/Main/test.txt"}},
		{"elsewhere", nil, Options{Root: "picture/testdata/pixels"}, []string{"no ImageSets/Main in any of",
			filepath.FromSlash("picture/testdata/pixels/VOCdevkit/VOC2007")}},
		{"upwards", nil, Options{Root: "testdata/voc", Split: "../x"}, []string{`split: "../x" is not`}},
		{"another split", func(*testing.T, string) {}, Options{Split: "trainval"}, []string{`split "trainval"`, "splits there are: test", "VOCtrainval_06-Nov-2007.tar"}},
		{"no pictures", drop("JPEGImages"), Options{}, []string{"JPEGImages is missing"}},
		{"neither", drop("Annotations", "ImageSets/Main"), Options{}, []string{"no ImageSets/Main in any"}},
		{"one list missing", drop("ImageSets/Main/cat_test.txt"), Options{},
			[]string{"1 of the 20 lists of classes are missing, the first is cat_test.txt"}},
		{"three columns", replace("ImageSets/Main/cat_test.txt", "000001 1 1\n"), Options{},
			[]string{"cat_test.txt:1: 3 columns"}},
		{"a value", replace("ImageSets/Main/cat_test.txt", "000001 2\n"), Options{}, []string{`cat_test.txt:1: value "2"`}},
		{"another id", replace("ImageSets/Main/cat_test.txt", "000009 1\n"), Options{}, []string{`cat_test.txt:1: "000009" is not in the split`}},
		{"twice", replace("ImageSets/Main/cat_test.txt", "000001 1\n\n000001 1\n"), Options{}, []string{`cat_test.txt:3: id "000001" is already on line 1`}},
		{"short", replace("ImageSets/Main/cat_test.txt", "000001  1\r\n000002 -1"), Options{},
			[]string{"cat_test.txt: 2 ids, but the split has 4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.edit != nil {
				root, year := vocMiniCopy(t)
				test.edit(t, year)
				test.o.Root = root
			}
			_, err := Open("voc2007", test.o)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
	for _, test := range []struct {
		name string
		edit edit
		want string
	}{
		{"annotation missing", drop("Annotations/000001.xml"),
			"000001.xml: no such file or directory; unpack the annotations"},
		{"another picture", replace("Annotations/000001.xml",
			"<annotation><size><width>5</width><height>7</height></size></annotation>"),
			"000001.xml: image and its annotation differ in size: the annotation is of a picture of 5x7, the picture has 128x96"},
		{"broken", replace("Annotations/000001.xml", "<annotation>"), "000001.xml: line 1: "},
		{"picture missing", drop("JPEGImages/000001.jpg"), "000001.jpg: no such file"},
	} {
		root, year := vocMiniCopy(t)
		test.edit(t, year)
		ds, err := Open("voc2007", Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ds.At(0); err == nil || !strings.Contains(err.Error(), test.want) ||
			!strings.HasPrefix(err.Error(), "voc2007: ") {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}
