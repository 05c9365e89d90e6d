package datasets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const vocPerson = `<annotation><size><width>300</width><height>200</height><depth>3</depth></size>
<object><name>person</name>%s<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></object></annotation>`

// Edges are worked out by hand: pixels a..b counted from 1 reach from a-1 to b. The float is that of VOC 2012's
// 2011_003353.
func TestParseVOCAnnotation(t *testing.T) {
	person := vocAnnotation{300, 200, []Object{{Class: 14, X1: 1, Y1: 1}}}
	for _, test := range []struct {
		name, text string
		want       vocAnnotation
	}{
		{"one pixel at the origin", fmt.Sprintf(vocPerson, "<difficult>0</difficult>"), person},
		{"difficult is absent", fmt.Sprintf(vocPerson, ""), person},
		{"difficult", fmt.Sprintf(vocPerson, "<difficult> 1\n</difficult>"),
			vocAnnotation{300, 200, []Object{{Class: 14, X1: 1, Y1: 1, Difficult: true}}}},
		{"parts have boxes and names of their own", fmt.Sprintf(vocPerson,
			`<part><name>head</name><difficult>1</difficult><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>`), person},
		{"sides in another order, fractions, blanks", `<annotation><object><bndbox><ymax> 330 </ymax><xmin>20</xmin><xmax>112.5</xmax>
			<ymin>45.70000076293945</ymin></bndbox><name> tvmonitor </name></object></annotation>`,
			vocAnnotation{0, 0, []Object{{Class: 19, X0: 19, Y0: 44.70000076293945, X1: 112.5, Y1: 330}}}},
		{"two objects in order", `<annotation><object><name>dog</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>4</xmax><ymax>5</ymax></bndbox></object>
			<object><name>cat</name><bndbox><xmin>6</xmin><ymin>7</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object></annotation>`,
			vocAnnotation{0, 0, []Object{{Class: 11, X0: 1, Y0: 2, X1: 4, Y1: 5}, {Class: 7, X0: 5, Y0: 6, X1: 8, Y1: 9}}}},
		{"no objects", `<annotation/>`, vocAnnotation{objects: []Object{}}},
		{"declared Latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?><annotation><owner><name>Jos\xe9</name></owner></annotation>", vocAnnotation{objects: []Object{}}},
		{"undeclared Latin-1", "<annotation><owner><name>Jos\xe9</name></owner></annotation>",
			vocAnnotation{objects: []Object{}}},
		{"UTF-8", "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><annotation><owner><name>José</name></owner></annotation>",
			vocAnnotation{objects: []Object{}}},
		{"entities of XML", "<annotation><owner><name>a &lt;&#65;&gt; &amp; b</name></owner></annotation>",
			vocAnnotation{objects: []Object{}}},
	} {
		got, err := parseVOCAnnotation([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(vocAnnotation{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestParseVOCAnnotationErrors(t *testing.T) {
	object := func(s string) string { return "<annotation><object>" + s + "</object></annotation>" }
	wide := utf16.Encode([]rune("<annotation/>"))
	var utf16Text strings.Builder
	for _, u := range wide {
		utf16Text.WriteByte(byte(u))
		utf16Text.WriteByte(byte(u >> 8))
	}
	for _, test := range []struct{ name, text, want string }{
		{"empty", " \n", "the annotation file is empty"},
		{"another format", "<html></html>", "expected element type <annotation> but have <html>"},
		{"not XML", "\xff\xd8\xff", "line 1: "},
		{"UTF-16", utf16Text.String(), "line 1: XML syntax"},
		{"cut off", "<annotation>\n<object><name>dog", "line 2: XML syntax: unexpected EOF; unpack"},
		{"crossed elements", "<annotation><size></annotation></size>", "element <size> closed by </annotation>"},
		{"billion laughs", `<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;">]><annotation><object><name>&m;</name></object></annotation>`, "remove <!DOCTYPE"},
		{"unknown entity", object("<name>&lol;</name>"), "invalid character entity &lol;"},
		{"deep", strings.Repeat("<annotation>", 17), "nested deeper than 16"},
		{"unknown class", object("<name>persn</name>"), `object 1: "persn" is not a class of VOC; did you mean "person"?`},
		{"no box", object("<name>dog</name>"), "object 1 (dog): 0 boxes"},
		{"two boxes", object("<name>dog</name><bndbox/><bndbox/>"), "object 1 (dog): 2 boxes"},
		{"box only in a part", object("<name>dog</name><part><bndbox/></part>"), "object 1 (dog): 0 boxes"},
		{"a missing side", object("<name>dog</name><bndbox><xmin>1</xmin></bndbox>"), `ymin is ""`},
		{"words", object("<name>dog</name><bndbox><xmin>one</xmin></bndbox>"), `xmin is "one"`},
		{"NaN", object("<name>dog</name><bndbox><xmin>NaN</xmin></bndbox>"), `xmin is "NaN"`},
		{"infinite", object("<name>dog</name><bndbox><xmin>1e999</xmin></bndbox>"), `xmin is "1e999"`},
		{"ends swapped", object("<name>dog</name><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>"),
			"from 9,1 to 8,9 is empty"},
		{"difficult is a word", object("<name>dog</name><difficult>yes</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>1</xmax><ymax>1</ymax></bndbox>"), `difficult is "yes"`},
		{"size", "<annotation><size><width>wide</width></size></annotation>", `size: "wide" is not a number`},
	} {
		if _, err := parseVOCAnnotation([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	big := filepath.Join(t.TempDir(), "big.xml")
	write(t, big, []byte("<annotation/>"))
	if err := os.Truncate(big, vocXMLBytes+1); err != nil {
		t.Fatal(err)
	}
	if _, err := readVOCAnnotation(big); err == nil || !strings.Contains(err.Error(), "limit of 1 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

func TestVOCPlace(t *testing.T) {
	boxed := func(x0, y0, x1, y1 float64) vocAnnotation {
		return vocAnnotation{10, 8, []Object{{X0: x0, Y0: y0, X1: x1, Y1: y1}}}
	}
	a := boxed(-1, 0, 3, 9)
	if err := a.place(10, 8); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Object{{X0: 0, Y0: 0, X1: 3, Y1: 8}}, a.objects); diff != "" {
		t.Errorf("clipped box (-want +got):\n%s", diff)
	}
	if err := boxed(10, 0, 12, 3).place(10, 8); err == nil ||
		!strings.Contains(err.Error(), "10,0,12,3 lies outside the picture of 10x8") {
		t.Errorf("a box outside: %v", err)
	}
	if err := boxed(0, 0, 1, 1).place(8, 10); !errors.Is(err, ErrSize) ||
		!strings.Contains(err.Error(), "of 10x8, the picture has 8x10") {
		t.Errorf("another size: %v", err)
	}
	if err := (vocAnnotation{}).place(8, 10); err != nil {
		t.Errorf("an annotation without a size: %v", err)
	}
}

// FuzzVOCXML: whatever the bytes, no panic; boxes are finite, not empty and of a class, also once clipped.
func FuzzVOCXML(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(vocPerson, "<part><bndbox/></part>")))
	f.Add([]byte("<?xml version='1.0' encoding='latin1'?><annotation>\xe9<object><name>dog</name><bndbox><xmin>0</xmin><xmax>9e4</xmax><ymin>.5</ymin><ymax>7</ymax></bndbox></object></annotation>"))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY l "lol">]><annotation>&l;</annotation>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := parseVOCAnnotation(data)
		if err != nil {
			if !cmp.Equal(a, vocAnnotation{}, cmp.AllowUnexported(vocAnnotation{}), cmpopts.EquateEmpty()) {
				t.Fatal("an annotation and an error")
			}
			return
		}
		if a.w < 0 || a.h < 0 || a.objects == nil {
			t.Fatalf("%+v", a)
		}
		placed := a.place(64, 48) == nil
		for _, o := range a.objects {
			if !(o.X0 < o.X1 && o.Y0 < o.Y1) || o.Class < 0 || o.Class >= 20 || placed && (o.X0 < 0 || o.Y0 < 0 || o.X1 > 64 ||
				o.Y1 > 48) {
				t.Fatalf("%+v", o)
			}
		}
	})
}

// Edges of VOC 2007's 000002 from the numbers in the file: 139 200 207 301 in a picture of 335x500.
func TestRealVOCAnnotation(t *testing.T) {
	name := filepath.Join(Shared(t), "samples/voc/VOCdevkit/VOC2007/Annotations/000002.xml")
	got, err := readVOCAnnotation(name)
	if err != nil {
		t.Fatal(err)
	}
	want := vocAnnotation{335, 500, []Object{{Class: 18, X0: 138, Y0: 199, X1: 207, Y1: 301}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(vocAnnotation{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
