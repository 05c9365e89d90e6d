package datasets

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ovbench/datasets/files"
)

// Limits on annotation files; VOC's largest has 50 KB and four levels.
const (
	vocXMLBytes = 1 << 20
	vocXMLDepth = 16
)

// vocAnnotation is what this package reads of Annotations/<id>.xml.
type vocAnnotation struct {
	w, h    int // 0 if the file does not say
	objects []Object
}

// vocXML mirrors the file. Only direct children are taken: the parts of a person have boxes of their own.
type vocXML struct {
	XMLName xml.Name `xml:"annotation"`
	Width   string   `xml:"size>width"`
	Height  string   `xml:"size>height"`
	Objects []struct {
		Name      string      `xml:"name"`
		Difficult string      `xml:"difficult"`
		Boxes     []vocXMLBox `xml:"bndbox"`
	} `xml:"object"`
}

// vocXMLBox is a box in pixels counted from 1, both ends inside it, its sides in any order.
type vocXMLBox struct {
	XMin string `xml:"xmin"`
	YMin string `xml:"ymin"`
	XMax string `xml:"xmax"`
	YMax string `xml:"ymax"`
}

// readVOCAnnotation reads an annotation file with classes as in vocClasses without background.
func readVOCAnnotation(name string) (vocAnnotation, error) {
	data, err := files.Read(name, vocXMLBytes)
	if errors.Is(err, os.ErrNotExist) {
		return vocAnnotation{}, fmt.Errorf("%w; unpack the annotations of the archive completely", err)
	}
	if err != nil {
		return vocAnnotation{}, err
	}
	a, err := parseVOCAnnotation(data)
	if err != nil {
		return vocAnnotation{}, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

func parseVOCAnnotation(data []byte) (vocAnnotation, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return vocAnnotation{}, errors.New("the annotation file is empty; unpack it again")
	}
	var file vocXML
	tokens := newVOCTokens(data)
	if err := xml.NewTokenDecoder(tokens).Decode(&file); err != nil {
		return vocAnnotation{}, tokens.explain(err)
	}
	var a vocAnnotation
	var err error
	if a.w, a.h, err = vocSize(file.Width, file.Height); err != nil {
		return vocAnnotation{}, err
	}
	a.objects = make([]Object, len(file.Objects))
	for i, o := range file.Objects {
		class := slices.Index(vocClasses[1:], strings.TrimSpace(o.Name))
		if class < 0 {
			return vocAnnotation{}, fmt.Errorf("object %d: %q is not a class of VOC%s", i+1, o.Name,
				didYouMean(o.Name, vocClasses[1:]))
		}
		if len(o.Boxes) != 1 {
			return vocAnnotation{}, fmt.Errorf("object %d (%s): %d boxes, want one bndbox", i+1, vocClasses[1+class],
				len(o.Boxes))
		}
		object, err := o.Boxes[0].edges()
		if err != nil {
			return vocAnnotation{}, fmt.Errorf("object %d (%s): %w", i+1, vocClasses[1+class], err)
		}
		switch strings.TrimSpace(o.Difficult) {
		case "", "0":
		case "1":
			object.Difficult = true
		default:
			return vocAnnotation{}, fmt.Errorf("object %d (%s): difficult is %q, want 0 or 1", i+1, vocClasses[1+class],
				o.Difficult)
		}
		object.Class = class
		a.objects[i] = object
	}
	return a, nil
}

// vocSize parses the size of the picture; files without one have it as 0.
func vocSize(width, height string) (w, h int, err error) {
	for _, side := range []struct {
		text string
		to   *int
	}{{width, &w}, {height, &h}} {
		text := strings.TrimSpace(side.text)
		if text == "" {
			continue
		}
		if *side.to, err = strconv.Atoi(text); err != nil || *side.to < 0 {
			return 0, 0, fmt.Errorf("size: %q is not a number of pixels", text)
		}
	}
	return w, h, nil
}

// edges converts pixels min..max counted from 1, both inside, to edges from 0: min-1, max. Some values are fractions.
func (b vocXMLBox) edges() (Object, error) {
	var side [4]float64
	for i, s := range []string{b.XMin, b.YMin, b.XMax, b.YMax} {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > files.MaxPixels {
			return Object{}, fmt.Errorf("%s is %q, which is not a pixel coordinate",
				[...]string{"xmin", "ymin", "xmax", "ymax"}[i], s)
		}
		side[i] = v
	}
	o := Object{X0: side[0] - 1, Y0: side[1] - 1, X1: side[2], Y1: side[3]}
	if o.X0 >= o.X1 || o.Y0 >= o.Y1 {
		return Object{}, fmt.Errorf("the box from %s,%s to %s,%s is empty", b.XMin, b.YMin, b.XMax, b.YMax)
	}
	return o, nil
}

// place checks the annotation against its picture of w x h pixels and clips boxes to it.
func (a vocAnnotation) place(w, h int) error {
	if a.w*a.h != 0 && (a.w != w || a.h != h) {
		return fmt.Errorf("%w: the annotation is of a picture of %dx%d, the picture has %dx%d; restore the original "+
			"files", ErrSize, a.w, a.h, w, h)
	}
	for i := range a.objects {
		o := &a.objects[i]
		box := *o
		o.X0, o.Y0 = max(0, o.X0), max(0, o.Y0)
		o.X1, o.Y1 = min(float64(w), o.X1), min(float64(h), o.Y1)
		if o.X0 >= o.X1 || o.Y0 >= o.Y1 {
			return fmt.Errorf("object %d (%s): the box %g,%g,%g,%g lies outside the picture of %dx%d", i+1,
				vocClasses[1+o.Class], box.X0, box.Y0, box.X1, box.Y1, w, h)
		}
	}
	return nil
}

// vocTokens hands out the tokens of an annotation, of bounded depth and without a document type, which is where
// entities are defined: no entity but the five of XML itself exists.
type vocTokens struct {
	d     *xml.Decoder
	depth int
}

// newVOCTokens takes UTF-8 as such and anything else as Latin-1, whatever the file declares: all that is read is ASCII,
// only owners' names are not.
func newVOCTokens(data []byte) *vocTokens {
	if !utf8.Valid(data) {
		text := make([]rune, len(data))
		for i, b := range data {
			text[i] = rune(b)
		}
		data = []byte(string(text))
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return &vocTokens{d: d}
}

// explain says where parsing ended with err, which may have no line or a wrong one.
func (t *vocTokens) explain(err error) error {
	line, _ := t.d.InputPos()
	if syntax := new(xml.SyntaxError); errors.As(err, &syntax) {
		return fmt.Errorf("line %d: XML syntax: %s; unpack the annotation again", line, syntax.Msg)
	}
	return fmt.Errorf("line %d: %w", line, err)
}

func (t *vocTokens) Token() (xml.Token, error) {
	token, err := t.d.RawToken()
	switch token.(type) {
	case xml.StartElement:
		if t.depth++; t.depth > vocXMLDepth {
			return nil, fmt.Errorf("elements are nested deeper than %d", vocXMLDepth)
		}
	case xml.EndElement:
		t.depth--
	case xml.Directive:
		return nil, errors.New("a document type is declared, which annotations have not and which could define " +
			"entities; remove <!DOCTYPE")
	}
	return token, err
}
