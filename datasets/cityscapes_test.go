package datasets_test

import (
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/datasetstest"
	"ovbench/datasets/labelmap"
)

// cityscapesTree is a copy of the small tree without the files whose names end in one of without.
func cityscapesTree(t *testing.T, without ...string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/cityscapes")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range without {
		paths, err := filepath.Glob(filepath.Join(root, "*/val/*/*"+suffix))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no *%s to remove (%v)", suffix, err)
		}
		for _, p := range paths {
			remove(t, p)
		}
	}
	return root
}

const (
	trainIDs, labelIDs    = "_gtFine_labelTrainIds.png", "_gtFine_labelIds.png"
	instances, polygons   = "_gtFine_instanceIds.png", "_gtFine_polygons.json"
	cityscapesFirst       = "alpha_000000_000019"
	cityscapesFirstFolder = "gtFine/val/alpha/" + cityscapesFirst
)

// Whatever form the truth is read from, classes are those of the labelTrainIds files, which cityscapesscripts 2.3.0
// with Pillow 13.0.0 made of the polygons.
func TestCityscapesForms(t *testing.T) {
	for _, test := range []struct {
		without     []string
		form, notes string
	}{
		{nil, trainIDs, ""},
		{[]string{trainIDs}, labelIDs, "label maps are the labelIds files"},
		{[]string{trainIDs, labelIDs, instances}, polygons, "label maps are drawn from the polygons"},
	} {
		ds := open(t, "cityscapes", datasets.Options{Root: cityscapesTree(t, test.without...)})
		if got := strings.Join(ds.Info().Notes, "; "); !strings.HasPrefix(got, test.notes) ||
			(got == "") != (test.notes == "") {
			t.Errorf("%s: notes %q, want %q", test.form, got, test.notes)
		}
		var ids []string
		for i := range ds.Len() {
			s, err := ds.At(i)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
			if !strings.HasSuffix(s.LabelPath, test.form) {
				t.Errorf("%s: read from %s, want %s", s.ID, s.LabelPath, test.form)
			}
			city, _, _ := strings.Cut(s.ID, "_")
			want := labels(t, filepath.Join("testdata/cityscapes/gtFine/val", city, s.ID+trainIDs))
			for p, v := range want.Pix {
				if v == 255 {
					want.Pix[p] = labelmap.Ignore
				}
			}
			if !cmp.Equal(want, s.Labels) {
				t.Errorf("%s of %s: labels differ", test.form, s.ID)
			}
		}
		// Cities in alphabetical order, then pictures.
		if diff := cmp.Diff([]string{"alpha_000000_000019", "alpha_000001_000019", "beta_000000_000019"}, ids); diff != "" {
			t.Error(diff)
		}
	}
}

func labels(t *testing.T, path string) labelmap.Map {
	t.Helper()
	l, err := labelmap.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// histogram counts the values of a label map.
func histogram(l labelmap.Map) map[uint16]int {
	h := make(map[uint16]int)
	for _, v := range l.Pix {
		h[v]++
	}
	return h
}

// The histogram of instance ids, counted with numpy 2.4.6 in what cityscapesscripts 2.3.0 made; drawn from the polygons
// they are the same.
func TestCityscapesInstances(t *testing.T) {
	stored := open(t, "cityscapes", datasets.Options{Root: cityscapesTree(t)})
	drawn := open(t, "cityscapes", datasets.Options{Root: cityscapesTree(t, instances)})
	for i := range stored.Len() {
		a, err := stored.(datasets.Instanced).Instances(i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := drawn.(datasets.Instanced).Instances(i)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(a, b) {
			t.Errorf("%s: stored and drawn instances differ", stored.ID(i))
		}
		if i != 1 {
			continue
		}
		want := map[uint16]int{2: 63, 4: 30, 7: 1069, 8: 54, 18: 289, 19: 46, 21: 33, 23: 648, 24: 9, 26: 45, 24000: 11,
			26000: 78,
			28000: 60, 30000: 115, 30001: 10, 33000: 6, 33001: 17}
		if diff := cmp.Diff(want, histogram(a)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		ids := labels(t, "testdata/cityscapes/gtFine/val/alpha/"+stored.ID(i)+labelIDs)
		for p, v := range a.Pix {
			if datasets.CityscapesID(v) != ids.Pix[p] {
				t.Fatalf("instance %d is of label %d, stored is %d", v, datasets.CityscapesID(v), ids.Pix[p])
			}
		}
	}
	for _, i := range []int{-1, 3} {
		if _, err := stored.(datasets.Instanced).Instances(i); err == nil {
			t.Errorf("Instances(%d) has no error", i)
		}
	}
	bare := open(t, "cityscapes", datasets.Options{Root: cityscapesTree(t, instances, polygons)})
	if _, err := bare.(datasets.Instanced).Instances(0); !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), instances) {
		t.Errorf("without any file: %v", err)
	}
}

func TestCityscapesMistakes(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/cityscapes/gtFine/val/alpha/alpha_000000_000019" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	drawing := func(size, objects string) []byte { return []byte(`{` + size + `,"objects":[` + objects + `]}`) }
	const size = `"imgWidth":96,"imgHeight":48`
	wide := image.NewGray16(image.Rect(0, 0, 96, 48))
	wide.SetGray16(3, 2, color.Gray16{7001})
	for _, test := range []struct {
		name, form string
		data       []byte
		is         error
		want       string
	}{
		{"label ids as train ids", trainIDs, file(labelIDs), labelmap.ErrValue,
			"holds label ids under the name of train ids, the classic mistake with Cityscapes; delete the labelTrainIds files"},
		{"train ids as label ids", labelIDs, file(trainIDs), labelmap.ErrValue,
			"holds train ids under the name of label ids, the classic mistake"},
		{"instances as train ids", trainIDs, file(instances), labelmap.ErrValue, "label"},
		{"colours", labelIDs, encode(t, image.NewNRGBA(image.Rect(0, 0, 96, 48))), nil,
			"of Cityscapes' files *_gtFine_color.png is for people"},
		{"other size", trainIDs, encode(t, image.NewGray(image.Rect(0, 0, 48, 96))), datasets.ErrSize, "is 48x96"},
		{"drawing of other size", polygons, drawing(`"imgWidth":1000000000,"imgHeight":1000000000`, ""), datasets.ErrSize, "1000000000x1000000000"},
		{"no JSON", polygons, []byte("<html>"), nil, "not a drawing of Cityscapes"},
		{"too large", polygons, make([]byte, 5<<20), nil, "larger than the limit"},
		{"unknown label", polygons, drawing(size, `{"label":"cars","polygon":[[0,0],[1,1]]}`), nil, `object 0: label "cars" is not one of Cityscapes'`},
		{"unknown group", polygons, drawing(size, `{"label":"group","polygon":[[0,0],[1,1]]}`), nil, `label "group"`},
		{"one point", polygons, drawing(size, `{"label":"car","polygon":[[0,0]]}`), nil, "object 0, car: a polygon of 1 points"},
		{"half a point", polygons, drawing(size, `{"label":"car","polygon":[[0,0],[1]]}`), nil, "point 1 has 1 coordinates"},
		{"far point", polygons, drawing(size, `{"label":"car","polygon":[[0,0],[1,-1e300]]}`), nil, "more than 1e+06 pixels away"},
		{"instance of road", instances, encode(t, wide), labelmap.ErrValue, "7001 at x 3, y 2 is no instance id"},
		{"crowd of cars", "+" + polygons, drawing(size, strings.Repeat(`{"label":"car","polygon":[[0,0],[1,1]]},`, 1000)+`{"label":"car","polygon":[[0,0],[1,1]]}`), nil, "object 1000: more than 1000 things called car"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var without []string
			switch form := strings.TrimPrefix(test.form, "+"); form {
			case polygons:
				without = []string{trainIDs, labelIDs, instances}
			case labelIDs:
				without = []string{trainIDs}
			}
			root := cityscapesTree(t, without...)
			path := filepath.Join(root, cityscapesFirstFolder+strings.TrimPrefix(test.form, "+"))
			put(t, path, test.data)
			ds := open(t, "cityscapes", datasets.Options{Root: root})
			var err error
			if test.form == instances || test.form[0] == '+' {
				_, err = ds.(datasets.Instanced).Instances(0)
			} else {
				_, err = ds.At(0)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the path", err, test.want)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
}

// Deleted objects and licence plates are not drawn, a group is drawn without a number, fractions are cut off. Expected:
// json2instanceImg of cityscapesscripts 2.3.0 with Pillow 13.0.0.
func TestCityscapesDrawing(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "leftImg8bit/val/x/x_leftImg8bit.png"), encode(t, image.NewGray(image.Rect(0, 0, 6, 4))))
	put(t, filepath.Join(root, "gtFine/val/x/x"+polygons), []byte(`{"imgWidth":6,"imgHeight":4,"objects":[
		{"label":"car","polygon":[[0,0],[3,0],[3,2],[0,2]],"deleted":0},
		{"label":"car","polygon":[[2,0],[5,0]],"deleted":false},
		{"label":"bus","polygon":[[0,0],[5,3]],"deleted":1},
		{"label":"bus","polygon":[[0,0],[5,3]],"deleted":true},
		{"label":"license plate","polygon":[[0,0],[5,3]]},
		{"label":"cargroup","polygon":[[5.9,0.9],[5,1]],"draw":false},
		{"label":"person","polygon":[[-0.9,0],[0,1,7]]}]}`))
	ds := open(t, "cityscapes", datasets.Options{Root: root})
	got, err := ds.(datasets.Instanced).Instances(0)
	if err != nil {
		t.Fatal(err)
	}
	want := labelmap.Map{W: 6, H: 4, Pix: []uint16{
		24000, 26000, 26001, 26001, 26001, 26,
		24000, 26000, 26000, 26000, 0, 26,
		26000, 26000, 26000, 26000, 0, 0,
		0, 0, 0, 0, 0, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s, err := ds.At(0)
	if err != nil || s.Labels.Pix[0] != 11 || s.Labels.Pix[1] != 13 || s.Labels.Pix[10] != labelmap.Ignore {
		t.Errorf("classes %v, %v", s.Labels.Pix, err)
	}
}

// A form that some pictures lack is passed over for one that all have; without one Verify names what is missing.
func TestCityscapesIncomplete(t *testing.T) {
	root := cityscapesTree(t)
	remove(t, filepath.Join(root, cityscapesFirstFolder+trainIDs))
	ds := open(t, "cityscapes", datasets.Options{Root: root})
	if _, label := ds.(datasets.Located).Files(0); !strings.HasSuffix(label, labelIDs) {
		t.Errorf("read from %s", label)
	}
	remove(t, filepath.Join(root, cityscapesFirstFolder+labelIDs))
	remove(t, filepath.Join(root, cityscapesFirstFolder+polygons))
	ds = open(t, "cityscapes", datasets.Options{Root: root})
	var got []string
	for _, f := range datasets.Inspect(t.Context(), ds, datasets.InspectOptions{}).Faults {
		got = append(got, f.Error())
	}
	// Three pictures instead of val's 500, and what was removed of the first of the forms that lack one picture each.
	if len(got) != 2 || !strings.Contains(got[0], "500") ||
		!strings.Contains(got[1], "missing label map: 1 ("+filepath.Join(root, cityscapesFirstFolder+trainIDs)) {
		t.Errorf("faults %q", got)
	}
}

func TestCityscapesOpenErrors(t *testing.T) {
	twice := cityscapesTree(t)
	put(t, filepath.Join(twice, "leftImg8bit/val/gamma/"+cityscapesFirst+"_leftImg8bit.png"), nil)
	empty := t.TempDir()
	put(t, filepath.Join(empty, "leftImg8bit/val/x/readme.txt"), nil)
	put(t, filepath.Join(empty, "gtFine/readme.txt"), nil)
	for _, test := range []struct {
		o    datasets.Options
		want []string
	}{
		{datasets.Options{}, []string{"cityscapes: no data directory", "gtFine_trainvaltest.zip", "leftImg8bit/val/<city>"}},
		{datasets.Options{Root: "picture/testdata/pixels"}, []string{filepath.FromSlash("picture/testdata/pixels/cityscapes"),
			"leftImg8bit and gtFine"}},
		{datasets.Options{Root: "testdata", Split: "train"}, []string{`split "train"`, "splits are train, val, test"}},
		{datasets.Options{Root: "testdata", Split: "../val"}, []string{`split: "../val" is not`}},
		{datasets.Options{Root: twice}, []string{"gamma: " + cityscapesFirst + "_leftImg8bit.png is in alpha too"}},
		{datasets.Options{Root: empty}, []string{"no <folder>/<id>_leftImg8bit.png in"}},
		{datasets.Options{Root: cityscapesTree(t, trainIDs, labelIDs, polygons)},
			[]string{"no truth for any picture, such as ", cityscapesFirst + labelIDs}},
	} {
		_, err := datasets.Open("cityscapes", test.o)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want %q", test.o, err, want)
			}
		}
	}
}

// The table agrees with itself, and with the list of 34 ids and train ids among the samples.
func TestCityscapesTable(t *testing.T) {
	plain, err := datasets.Queries("cityscapes", "")
	if err != nil {
		t.Fatal(err)
	}
	classes := 0
	for i, l := range datasets.CityscapesLabels {
		if last := i == len(datasets.CityscapesLabels)-1; !last && l.ID != i || last && l.ID != -1 {
			t.Errorf("element %d has id %d", i, l.ID)
		}
		if l.TrainID == classes {
			if plain[classes][0] != l.Name {
				t.Errorf("class %d is called %q in the table, %q in the queries", classes, l.Name, plain[classes][0])
			}
			classes++
		} else if l.TrainID != 255 && l.TrainID != -1 {
			t.Errorf("%s: train id %d after %d", l.Name, l.TrainID, classes-1)
		}
		if l.Instances != (l.ID >= 24) { // people and vehicles
			t.Errorf("%s: instances %v", l.Name, l.Instances)
		}
	}
	if classes != 19 {
		t.Errorf("%d classes", classes)
	}
	data, err := os.ReadFile(filepath.Join(shared(t), "classes/label_maps/cityscapes_id_to_train19.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
	for i, line := range lines {
		l := datasets.CityscapesLabels[i]
		want := []string{l.Name, strconv.Itoa(l.ID), strconv.Itoa(l.TrainID)}
		if !slices.Equal(strings.Split(strings.TrimSpace(line), "\t"), want) {
			t.Errorf("line %q, table %q", line, want)
		}
	}
	if len(lines) < 34 {
		t.Errorf("only %d lines", len(lines))
	}
}

// A real picture at an eighth of its size: mmsegmentation's labelTrainIds and labelIds differ on 77 of 32768 pixels
// (numpy 2.4.6), for they were scaled down one by one.
func TestRealCityscapes(t *testing.T) {
	root := filepath.Join(shared(t), "samples/cityscapes/mmseg_downscaled")
	ds := open(t, "cityscapes", datasets.Options{Root: root})
	datasetstest.Run(t, ds)
	s, err := ds.At(0)
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(copied, "gtFine/val/frankfurt", s.ID+trainIDs))
	other, err := open(t, "cityscapes", datasets.Options{Root: copied}).At(0)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for p, v := range s.Labels.Pix {
		if v != other.Labels.Pix[p] {
			differ++
		}
	}
	if differ != 77 || len(s.Labels.Pix) != 32768 {
		t.Errorf("%d of %d pixels differ, want 77 of 32768", differ, len(s.Labels.Pix))
	}
	ids, err := ds.(datasets.Instanced).Instances(0)
	if err != nil {
		t.Fatal(err)
	}
	if h := histogram(ids); h[26002] != 1572 || h[24000] != 6 || h[11] != 12744 {
		t.Errorf("instances %v", h)
	}
}

// What the official converters made of a drawing, with a group, a licence plate and a deleted object.
func TestRealCityscapesPolygons(t *testing.T) {
	const id = "frankfurt_000000_000001"
	dir := filepath.Join(shared(t), "samples/cityscapes/derived_polygons")
	root := t.TempDir()
	put(t, filepath.Join(root, "leftImg8bit/val/frankfurt", id+"_leftImg8bit.png"),
		encode(t, image.NewGray(image.Rect(0, 0, 96, 48))))
	data, err := os.ReadFile(filepath.Join(dir, "gtFine/val/frankfurt", id+polygons))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(root, "gtFine/val/frankfurt", id+polygons), data)
	ds := open(t, "cityscapes", datasets.Options{Root: root})
	got, err := ds.(datasets.Instanced).Instances(0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(labels(t, filepath.Join(dir, "gtFine/val/frankfurt", id+instances)), got); diff != "" {
		t.Error(diff)
	}
	s, err := ds.At(0)
	if err != nil {
		t.Fatal(err)
	}
	// numpy 2.4.6, of labelTrainIds
	want := map[uint16]int{0: 850, 2: 991, 7: 41, 10: 799, 11: 121, 13: 556, labelmap.Ignore: 1250}
	if diff := cmp.Diff(want, histogram(s.Labels)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
