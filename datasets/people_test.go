package datasets_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// A people is a folder as people have it: names of files with what is in them.
type people map[string][]byte

func (p people) write(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range p {
		put(t, filepath.Join(root, filepath.FromSlash(name)), data)
	}
	return root
}

// Stored values of the label maps of these tests, two rows of two pixels.
var peopleValues = []uint8{0, 1, 2, 1}

func peopleGrey(values ...uint8) image.Image {
	return &image.Gray{Pix: values, Stride: 2, Rect: image.Rect(0, 0, 2, 2)}
}

func peopleColours(alpha uint8, colours ...[3]uint8) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	for i, c := range colours {
		m.SetNRGBA(i%2, i/2, color.NRGBA{c[0], c[1], c[2], alpha})
	}
	return m
}

func jpegPicture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func utf16(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, r := range text {
		out = append(out, byte(r), byte(r>>8))
	}
	return out
}

// Every way of writing the same folder gives the same labels; every other is refused in words that say what to do. The
// right labels are peopleValues.
func TestFolderAsPeopleHaveIt(t *testing.T) {
	png, grey, names := encode(t, image.NewGray(image.Rect(0, 0, 2, 2))), encode(t, peopleGrey(peopleValues...)),
		[]byte("sand\ngrass\nwater\n")
	var tif bytes.Buffer
	if err := tiff.Encode(&tif, image.NewGray(image.Rect(0, 0, 2, 2)), nil); err != nil {
		t.Fatal(err)
	}
	cvat := []byte("# label:color_rgb:parts:actions\nbackground:0,0,0::\nsand:128,0,0::\ngrass:0,128,0::\nwater:128,128,0::\n")
	masks := encode(t, peopleColours(255, [3]uint8{128, 0, 0}, [3]uint8{0, 128, 0}, [3]uint8{128, 128, 0},
		[3]uint8{0, 128, 0}))
	one := func(classes []byte) people {
		return people{"images/a.png": png, "labels/a.png": grey, "classes.txt": classes}
	}
	with := func(p people, name string, data []byte) people {
		p[name] = data
		return p
	}
	for _, test := range []struct {
		name  string
		files people
		o     datasets.FolderOptions
		split string
		ids   string
		fault string // of opening or of the first sample
	}{
		{"plain", one(names), datasets.FolderOptions{}, "", "a", ""},
		{"UTF-16", one(utf16("sand\r\ngrass\r\nwater\r\n")), datasets.FolderOptions{}, "", "a", ""},
		{"byte-order mark", one([]byte("\ufeffsand\r\ngrass\r\nwater")), datasets.FolderOptions{}, "", "a", ""},
		{"old ends of lines", one([]byte("sand\rgrass\rwater\r")), datasets.FolderOptions{}, "", "a", ""},
		{"Latin-1", one([]byte("sand\ngras\xdf\nwater")), datasets.FolderOptions{}, "", "", "save it as UTF-8"},
		{"numbers and colons", one([]byte("0: sand\n1: grass\n2: water")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers and tabs", one([]byte("0\tsand\n1\tgrass\n2\twater")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers and blanks", one([]byte("0 sand\n1 grass\n2 water")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers from 1", one([]byte("1 sand\n2 grass\n3 water")), datasets.FolderOptions{}, "", "",
			"reduce_zero_label: true"},
		{"numbers with a gap", one([]byte("0: sand\n2: grass\n3: water")), datasets.FolderOptions{}, "", "", `"2: grass" is numbered 2, want 1`},
		{"padded numbers", one([]byte("00 sand\n01 grass\n02 water")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers in brackets", one([]byte("[0] sand\n[1] grass\n[2] water")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers behind", one([]byte("sand:0\ngrass:1\nwater:2")), datasets.FolderOptions{}, "", "a", ""},
		{"labelme", one([]byte("__ignore__\nsand\ngrass\nwater")), datasets.FolderOptions{}, "", "a", ""},
		{"JSON", one([]byte("[\n\"sand\",\n\"grass\",\n\"water\"\n]")), datasets.FolderOptions{}, "", "", "a list as JSON or Python writes it"},
		{"a line of Python", one([]byte("['sand', 'grass', 'water']")), datasets.FolderOptions{}, "", "", "a list as JSON or Python writes it"},
		{"YAML", one([]byte("names:\n  - sand\n  - grass\n  - water")), datasets.FolderOptions{}, "", "", "a list as YAML writes it"},
		{"bullets", one([]byte("- sand\n- grass\n- water")), datasets.FolderOptions{}, "", "", "a list as YAML writes it"},
		{"quotes", one([]byte("\"sand\",\n'grass',\n\"water\"")), datasets.FolderOptions{}, "", "a", ""},
		{"numbered classes", one([]byte("class_0 sand\nclass_1 grass\nclass_2 water")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers behind in brackets", one([]byte("sand (0)\ngrass (1)\nwater (2)")), datasets.FolderOptions{}, "", "a", ""},
		{"WordNet ids", one([]byte("n09421951 sand\nn12102133 grass\nn14845743 water")), datasets.FolderOptions{}, "", "a", ""},
		{"numbers of another list", one([]byte("7 sand\n8 grass\n11 water")), datasets.FolderOptions{}, "", "",
			"every line begins with a number, which is not that of its class"},
		{"colours and blanks", one([]byte("64 128 64 sand\n192 0 128 grass\n0 128 64 water")), datasets.FolderOptions{}, "",
			"", "every line begins with a number"},
		{"YOLO", one([]byte("nc: 3\nnames: [sand, grass, water]")), datasets.FolderOptions{}, "", "", "a list as YAML writes it"},
		{"a spreadsheet", one([]byte("id,name\n0,sand\n1,grass\n2,water")), datasets.FolderOptions{}, "", "",
			"a list as a spreadsheet writes it"},
		{"a spreadsheet of shares", one([]byte("Idx,Ratio,Name\n1,0.5,sand\n2,0.3,grass\n3,0.2,water")),
			datasets.FolderOptions{}, "", "", "a list as a spreadsheet writes it"},
		{"all in a line", one([]byte("sand, grass, water")), datasets.FolderOptions{}, "", "", "a list as a spreadsheet writes it"},
		{"commas at the ends", one([]byte("sand,\ngrass,\nwater")), datasets.FolderOptions{}, "", "a", ""},
		{"an invisible blank", one([]byte("sand\n\u200bgrass\nwater")), datasets.FolderOptions{}, "", "",
			`classes.txt:2: "\u200bgrass" has the invisible character U+200B`},
		{"half a quote", one([]byte("\"sand\ngrass\nwater")), datasets.FolderOptions{}, "", "", "quotation mark"},
		{"tabs", one([]byte("sand\t3\ngrass\t4\nwater\t5")), datasets.FolderOptions{}, "", "", "has a tab"},
		{"void as a comment", one([]byte("# void\nsand\ngrass\nwater")), datasets.FolderOptions{}, "", "", `"# void" is a comment`},
		{"a comment", one([]byte("# of the beach\nsand\ngrass\nwater")), datasets.FolderOptions{}, "", "a", ""},
		{"a table of colours", one([]byte("name,r,g,b\nsand,0,0,0\ngrass,0,255,0\nwater,0,0,255\n")),
			datasets.FolderOptions{}, "", "a", ""},
		{"CVAT", with(with(one(names), "labelmap.txt", cvat), "labels/a.png", masks), datasets.FolderOptions{}, "", "a", ""},
		{"class_dict.csv", with(with(one(names), "class_dict.csv",
			[]byte("name,r,g,b\nSand,128,0,0\ngrass,0,128,0\nwater,128,128,0\nvoid,0,0,0\n")), "labels/a.png", masks),
			datasets.FolderOptions{}, "", "a", ""},
		{"a colour of none", with(with(one(names), "labelmap.txt", cvat), "labels/a.png",
			encode(t, peopleColours(255, [3]uint8{128, 1, 0}))), datasets.FolderOptions{}, "", "",
			"colour 128, 1, 0 is none of the 4"},
		{"colours without a table", with(one(names), "labels/a.png", masks), datasets.FolderOptions{}, "", "",
			"labelmap.txt or class_dict.csv"},
		{"a table of other classes", with(one(names), "labelmap.txt", []byte("x:1,2,3::\n")), datasets.FolderOptions{}, "",
			"", "has none of the classes"},
		{"a table that lacks one", with(one(names), "labelmap.txt", []byte("sand:1,2,3::\n")), datasets.FolderOptions{}, "",
			"", `no colour for ["grass" "water"]`},
		{"RGB of equal channels", with(one(names), "labels/a.png", encode(t, peopleColours(255, [3]uint8{}, [3]uint8{1, 1, 1},
			[3]uint8{2, 2, 2}, [3]uint8{1, 1, 1}))), datasets.FolderOptions{}, "", "a", ""},
		{"transparent", with(one(names), "labels/a.png", encode(t, peopleColours(7, [3]uint8{}, [3]uint8{1, 1, 1},
			[3]uint8{2, 2, 2}, [3]uint8{1, 1, 1}))), datasets.FolderOptions{}, "", "", "transparent in places"},
		{"a JPEG of labels", with(one(names), "labels/a.png", jpegPicture(t)), datasets.FolderOptions{}, "", "",
			"export the label maps again as PNG"},
		{"label maps in JPEG", people{"images/a.png": png, "labels/a.jpg": jpegPicture(t), "classes.txt": names},
			datasets.FolderOptions{}, "", "", "export the label maps as PNG"},
		{"labels from 1", with(one(names), "labels/a.png", encode(t, peopleGrey(1, 2, 3, 2))), datasets.FolderOptions{}, "",
			"", "reduce_zero_label: true"},
		{"labels from 1, said", with(one(names), "labels/a.png", encode(t, peopleGrey(1, 2, 3, 2))),
			datasets.FolderOptions{ReduceZero: true}, "", "a", ""},
		{"mixed case", people{"images/a.Png": png, "labels/a.pNG": grey, "classes.txt": names}, datasets.FolderOptions{}, "",
			"a", ""},
		{"TIFF", people{"images/a.tif": tif.Bytes(), "labels/a.png": grey, "classes.txt": names}, datasets.FolderOptions{},
			"", "a", ""},
		{"names of people", people{"images/Straße (2) é.png": png, "labels/Straße (2) e\u0301.png": grey,
			"classes.txt": names}, datasets.FolderOptions{}, "", "Straße (2) é", ""},
		{"hidden files", with(with(one(names), "images/._a.png", nil), "labels/.DS_Store", nil), datasets.FolderOptions{}, "",
			"a", ""},
		{"folders below", people{"images/b.png": png, "labels/b.png": grey, "images/x/a.png": png, "labels/x/a.png": grey,
			"classes.txt": names}, datasets.FolderOptions{}, "", "b x/a", ""},
		{"folders of splits", people{"images/val/a.png": png, "labels/val/a.png": grey, "images/train/b.png": png,
			"classes.txt": names}, datasets.FolderOptions{}, "val", "a", ""},
		{"a list of files", with(one(names), "val.txt", []byte("a.png\n")), datasets.FolderOptions{}, "val", "a", ""},
		{"a list of paths", with(one(names), "val.txt", []byte("\ufeff./images/a.png\r\n")), datasets.FolderOptions{}, "val",
			"a", ""},
		{"a list of pairs", with(one(names), "val.txt", []byte("images/a.png labels/a.png\n")), datasets.FolderOptions{},
			"val", "a", ""},
		{"a list of Windows", with(one(names), "val.txt", utf16("data\\images\\a.png\r\n")), datasets.FolderOptions{}, "val",
			"a", ""},
		{"a list with blanks", people{"images/a b.png": png, "labels/a b.png": grey, "classes.txt": names,
			"val.txt": []byte("a b\n")}, datasets.FolderOptions{}, "val", "a b", ""},
		{"a list twice", with(one(names), "val.txt", []byte("a\na.png\n")), datasets.FolderOptions{}, "val", "", `val.txt:2: id "a" is already on line 1`},
		{"a list of others", with(one(names), "val.txt", []byte("b.png\n")), datasets.FolderOptions{}, "val", "",
			"1 (b.png) has no picture in"},
		{"masks beside pictures", people{"a.jpg": jpegPicture(t), "masks/a.png": grey, "classes.txt": names},
			datasets.FolderOptions{Images: ".", Labels: "masks"}, "", "a", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ds, err := datasets.Open("folder", datasets.Options{Root: test.files.write(t), Split: test.split, Folder: &test.o})
			var ids []string
			for i := 0; err == nil && i < ds.Len(); i++ {
				var s datasets.Sample
				if s, err = ds.At(i); err != nil {
					break
				}
				ids = append(ids, s.ID)
				if got := fmt.Sprint(s.Labels.Pix); test.fault == "" && got != fmt.Sprint(peopleValues) {
					t.Errorf("%s: labels %s, want %d", s.ID, got, peopleValues)
				}
			}
			switch {
			case test.fault == "" && err != nil:
				t.Error(err)
			case test.fault == "" && !strings.EqualFold(strings.Join(ds.Info().Classes, " "), "sand grass water"):
				t.Errorf("classes %q", ds.Info().Classes)
			case test.fault == "" && strings.Join(ids, " ") != test.ids:
				t.Errorf("ids %q, want %q", ids, test.ids)
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
				t.Errorf("%v, want %q", err, test.fault)
			}
		})
	}
}

// What is left out, taken off or shared by two classes is said.
func TestFolderNotes(t *testing.T) {
	png, grey := encode(t, image.NewGray(image.Rect(0, 0, 2, 2))), encode(t, peopleGrey(peopleValues...))
	root := people{"images/a.png": png, "images/b.bmp": nil, "images/c/d.heic": nil, "labels/a.png": grey,
		"classes.txt": []byte("0: sand|beach\n1: grass\n2: water|Beach\n")}.write(t)
	ds := open(t, "folder", datasets.Options{Root: root})
	notes := strings.Join(ds.Info().Notes, "\n")
	for _, want := range []string{"2 files left out, the first is " + filepath.Join(root, "images/b.bmp"),
		"the numbers of lines of"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q, want %q", notes, want)
		}
	}
	queries, err := datasets.QueriesOf(ds, "")
	if err != nil {
		t.Fatal(err)
	}
	if note := datasets.SharedQueries(ds.Info().Classes, queries); note != `classes "sand" and "water" have the text "Beach" in common: no pixel can be told apart by it` {
		t.Errorf("%q", note)
	}
}

// A tool that sorts palettes, or writes RGB, leaves VOC's colours: they say which class each pixel is of. An extension
// in capitals is one.
func TestVOCAsPeopleHaveIt(t *testing.T) {
	root := t.TempDir()
	voc := labelmap.Palette()
	shuffled := &image.Paletted{Pix: []uint8{2, 1, 0, 3}, Stride: 2, Rect: image.Rect(0, 0, 2, 2),
		Palette: color.Palette{voc[255], voc[15], voc[0], voc[3]}}
	rgb := image.NewNRGBA(shuffled.Rect)
	for i, index := range shuffled.Pix {
		rgb.Set(i%2, i/2, shuffled.Palette[index])
	}
	own := &image.Paletted{Pix: []uint8{0, 15, 255, 3}, Stride: 2, Rect: shuffled.Rect, Palette: make(color.Palette, 256)}
	for i := range own.Palette { // whatever colours, the indices count
		own.Palette[i] = color.Gray{uint8(255 - i)}
	}
	tree := filepath.Join(root, "VOC2012")
	list := ""
	for name, m := range map[string]image.Image{"shuffled": shuffled, "rgb": rgb, "own": own} {
		put(t, filepath.Join(tree, "SegmentationClass", name+".png"), encode(t, m))
		put(t, filepath.Join(tree, "JPEGImages", name+".JPG"), jpegPicture(t))
		list += name + "\n"
	}
	put(t, filepath.Join(tree, "ImageSets/Segmentation/val.txt"), []byte(list))
	ds := open(t, "voc21", datasets.Options{Root: root})
	for i := range ds.Len() {
		s, err := ds.At(i)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fmt.Sprint(s.Labels.Pix); got != fmt.Sprint([]uint16{0, 15, labelmap.Ignore, 3}) {
			t.Errorf("%s: %s", s.ID, got)
		}
	}
}

// What scripts write in place of COCO's numbers. Each file says the same: one box-shaped person in a picture of 8x6.
func TestCOCOAsPeopleHaveIt(t *testing.T) {
	const usual = `{"images": [{"id": 1, "width": 8, "height": 6, "file_name": "a.jpg"}], "annotations": [` +
		`{"id": 7, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [1, 1, 3, 2], "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}]}`
	var picture8x6 bytes.Buffer
	if err := jpeg.Encode(&picture8x6, image.NewGray(image.Rect(0, 0, 8, 6)), nil); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][]string{
		"usual":            nil,
		"byte-order mark":  {`{"images"`, "\ufeff" + `{"images"`},
		"text for numbers": {`"image_id": 1, "category_id": 1`, `"image_id": "1", "category_id": "1"`},
		"text for images":  {`{"id": 1,`, `{"id": "1",`},
		"floats":           {`"image_id": 1, "category_id": 1, "iscrowd": 0`, `"image_id": 1.0, "category_id": 1.0, "iscrowd": 0.0`},
		"booleans":         {`"iscrowd": 0`, `"iscrowd": false`},
		"no iscrowd":       {`"iscrowd": 0, `, ``},
		"null":             {`"iscrowd": 0`, `"iscrowd": null`},
		"a named id":       {`"id": 7`, `"id": "3f2b-person"`},
		"no size":          {`"width": 8, "height": 6, `, ``},
		"size -1":          {`"width": 8, "height": 6`, `"width": -1, "height": -1`},
		"size null":        {`"width": 8, "height": 6`, `"width": null, "height": NaN`},
		"size in floats":   {`"width": 8, "height": 6`, `"width": 8.0, "height": "6"`},
		"NaN":              {`"iscrowd": 0`, `"iscrowd": 0, "area": NaN, "score": -Infinity`},
		"capitals":         {`a.jpg`, `a.JPG`},
	} {
		t.Run(name, func(t *testing.T) {
			text := usual
			if change != nil {
				if text = strings.Replace(usual, change[0], change[1], 1); text == usual {
					t.Fatal("nothing changed")
				}
			}
			root := people{"images/val2017/a.jpg": picture8x6.Bytes(),
				"annotations/instances_val2017.json": []byte(text)}.write(t)
			s, err := open(t, "coco", datasets.Options{Root: root, Split: "val2017"}).At(0)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Objects) != 1 || s.Objects[0].Mask.Area() != 6 || s.Objects[0].X1 != 4 || s.Objects[0].Crowd ||
				s.Tags[0] != datasets.Present {
				t.Errorf("objects %+v", s.Objects)
			}
		})
	}
	for text, want := range map[string]string{
		`"category_id": "person"`: `category_id: byte 127: the text "person", want a number`,
		`"category_id": 1.5`:      "category_id: byte 127: 1.5 is not a whole number",
		`"category_id": NaN`:      "category_id: byte 127: NaN is not a whole number",
		`"category_id": [1]`:      `category_id: byte 127: '[', want a number`,
	} {
		root := people{"images/val2017/a.jpg": picture8x6.Bytes(),
			"annotations/instances_val2017.json": []byte(strings.Replace(usual, `"category_id": 1`, text, 1))}.write(t)
		_, err := datasets.Open("coco", datasets.Options{Root: root, Split: "val2017"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Go ") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// check turns sizes as reading does.
func TestInspectAppliesEXIF(t *testing.T) {
	exif := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
	var wide bytes.Buffer
	if err := jpeg.Encode(&wide, image.NewGray(image.Rect(0, 0, 4, 2)), nil); err != nil {
		t.Fatal(err)
	}
	stored := append(append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...), wide.Bytes()[2:]...)
	root := people{"images/a.jpg": stored, "labels/a.png": encode(t, image.NewGray(image.Rect(0, 0, 2, 4))),
		"classes.txt": []byte("x\ny\n")}.write(t)
	for o, faults := range map[picture.Orientation]int{picture.Upright: 0, picture.AsStored: 1} {
		ds := open(t, "folder", datasets.Options{Root: root, Orientation: o})
		if got := datasets.Inspect(t.Context(), ds, datasets.InspectOptions{}).Faults; len(got) != faults {
			t.Errorf("orientation %d: %v", o, got)
		}
	}
	if got := picture.EXIF(filepath.Join(root, "images/a.jpg")); got != 6 {
		t.Errorf("EXIF %d", got)
	}
}

// FuzzFolder opens any list of classes, list of ids and table of colours.
func FuzzFolder(f *testing.F) {
	f.Add([]byte("0: sand\n1: grass\n"), []byte("a.png\n"), []byte("sand:0,0,0::\ngrass:1,1,1::\n"))
	f.Add([]byte("\xff\xfea\x00\n\x00b\x00"), []byte("images/a.png labels/a.png"),
		[]byte("name,r,g,b\n\"a\",1,2,3\nb,4,5,6"))
	var label, img bytes.Buffer
	for _, b := range []*bytes.Buffer{&label, &img} {
		if err := labelmap.Encode(b, labelmap.Map{W: 2, H: 2, Pix: []uint16{0, 1, 1, 0}}); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, classes, list, table []byte) {
		root := t.TempDir()
		for name, data := range map[string][]byte{"classes.txt": classes, "val.txt": list, "class_dict.csv": table,
			"images/a.png": img.Bytes(), "labels/a.png": label.Bytes()} {
			p := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ds, err := datasets.Open("folder", datasets.Options{Root: root, Split: "val"})
		if err != nil {
			return
		}
		s, err := ds.At(0)
		if err != nil {
			return
		}
		for _, v := range s.Labels.Pix {
			if v != labelmap.Ignore && int(v) >= len(ds.Info().Classes) {
				t.Fatalf("label %d of %d classes", v, len(ds.Info().Classes))
			}
		}
	})
}

// What a folder's label maps store says how they are to be read.
func TestSurvey(t *testing.T) {
	png := encode(t, image.NewGray(image.Rect(0, 0, 2, 2)))
	for _, test := range []struct {
		name    string
		classes string
		values  []uint8
		want    datasets.FolderOptions
		found   string
	}{
		{"from 0", "a\nb\nc\n", []uint8{0, 1, 2, 255}, datasets.FolderOptions{}, "store 0..2, 255"},
		{"from 1", "a\nb\nc\n", []uint8{0, 1, 2, 3}, datasets.FolderOptions{ReduceZero: true}, "count classes from 1"},
		{"numbered from 1", "1: a\n2: b\n3: c\n", []uint8{1, 1, 2, 3}, datasets.FolderOptions{ReduceZero: true},
			"numbers of lines"},
		{"a void of its own", "a\nb\nc\n", []uint8{0, 1, 2, 99}, datasets.FolderOptions{Ignore: 99}, "99 is no class"},
		{"background", "background\nb\nc\n", []uint8{0, 1, 2, 2}, datasets.FolderOptions{Background: true}, "3 classes"},
		{"masks", "a\nb\n", []uint8{0, 255, 255, 0}, datasets.FolderOptions{}, "masks of 0 and 255"},
		{"another list", "a\nb\n", []uint8{0, 7, 9, 1}, datasets.FolderOptions{}, "values 7, 9 are no class"},
	} {
		root := people{"imgs/a.png": png, "masks/a.png": encode(t, peopleGrey(test.values...)),
			"classes.txt": []byte(test.classes)}.write(t)
		s, err := datasets.NewSurvey(root)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		test.want.Images, test.want.Labels, test.want.Classes = "imgs", "masks", "classes.txt"
		if s.Folder != test.want || !strings.Contains(strings.Join(s.Found, "\n"), test.found) {
			t.Errorf("%s: %+v, %q", test.name, s.Folder, s.Found)
		}
	}
	if _, err := datasets.NewSurvey(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no folder of pictures") {
		t.Error(err)
	}
}
