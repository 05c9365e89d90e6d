package datasets

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets/files"
)

// nuswideMini holds six drawings in the layout of the official packages.
const nuswideMini = "testdata/nuswide"

// nuswideDrawn are the pictures of nuswideMini: scenes and the concepts one sees in them, none in the first.
var nuswideDrawn = []struct {
	listed   string
	scene    int
	concepts string
}{
	{`interior\0001_2124494179.jpg`, 1, ""},
	{`aircraft\0007_1072650311.jpg`, 2, "plane sky"},
	{`street\0012_361472551.jpg`, 3, "cars person road street vehicle"},
	{`farm\0003_2230197395.jpg`, 4, "animal dog grass"},
	{`boats\0044_2487072243.jpg`, 6, "animal birds boats water"},
	{`horses\0101_1488104322.jpg`, 7, "animal grass horses person"},
}

const nuswideCount = 6

// nuswideHas says whether drawing i shows a concept.
func nuswideHas(i int, concept string) bool {
	return slices.Contains(strings.Fields(nuswideDrawn[i].concepts), concept)
}

// nuswideMatrix is one line of 0 and 1 for each of the drawings; columns maps the flags of a drawing to what is
// written.
func nuswideMatrix(columns func(flags []string) []string) string {
	var b strings.Builder
	for i := range nuswideDrawn {
		flags := make([]string, 81)
		for c, concept := range nuswideConcepts {
			flags[c] = "0"
			if nuswideHas(i, concept) {
				flags[c] = "1"
			}
		}
		b.WriteString(strings.Join(columns(flags), " ") + " \r\n")
	}
	return b.String()
}

func nuswidePaths() string {
	var b strings.Builder
	for _, p := range nuswideDrawn {
		b.WriteString(p.listed + "\r\n")
	}
	return b.String()
}

// nuswideColumn is Labels_<concept>….txt.
func nuswideColumn(concept string) string {
	var b strings.Builder
	for i := range nuswideDrawn {
		if nuswideHas(i, concept) {
			b.WriteString("1\n")
		} else {
			b.WriteString("0\n")
		}
	}
	return b.String()
}

// nuswidePictures are the drawings as JPEG, from the demonstration's.
func nuswidePictures(t *testing.T) [][]byte {
	t.Helper()
	var out [][]byte
	for _, p := range nuswideDrawn {
		data, err := os.ReadFile(filepath.Join(demoRoot, "JPEGImages", fmt.Sprintf("demo_%06d.jpg", p.scene)))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// TestGenerateNUSWIDE draws nuswideMini, or with -update writes it.
func TestGenerateNUSWIDE(t *testing.T) {
	files := map[string]string{"ImageList/TestImagelist.txt": nuswidePaths()}
	for _, concept := range nuswideConcepts {
		files["Groundtruth/TrainTestLabels/Labels_"+concept+"_Test.txt"] = nuswideColumn(concept)
	}
	for i, data := range nuswidePictures(t) {
		files["Flickr/"+strings.ReplaceAll(nuswideDrawn[i].listed, `\`, "/")] = string(data)
	}
	for name, want := range files {
		path := filepath.Join(nuswideMini, "NUS-WIDE", filepath.FromSlash(name))
		if *update {
			write(t, path, []byte(want))
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s differs from what is drawn; run with -update (%v)", path, err)
		}
	}
}

// nuswideTreeOf writes files by path and the pictures, each where picture says, into a new root.
func nuswideTreeOf(t *testing.T, files map[string]string, picture func(listed string) string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(root, filepath.FromSlash(name)), []byte(text))
	}
	for i, data := range nuswidePictures(t) {
		write(t, filepath.Join(root, filepath.FromSlash(picture(strings.ReplaceAll(nuswideDrawn[i].listed, `\`, "/")))), data)
	}
	return root
}

func inFlickr(listed string) string { return "Flickr/" + listed }

// nuswidePackagings are the forms in circulation, of the same six pictures.
func nuswidePackagings(t *testing.T) map[string]struct {
	split   string
	files   map[string]string
	picture func(string) string
} {
	t.Helper()
	same := func(flags []string) []string { return flags }
	columns := func(dir, suffix string) map[string]string {
		files := make(map[string]string)
		for _, concept := range nuswideConcepts {
			files[dir+"/Labels_"+concept+suffix+".txt"] = nuswideColumn(concept)
		}
		return files
	}
	with := func(files map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	lists := []string{"ImageList/Imagelist.txt", nuswidePaths(), "ImageList/TestImagelist.txt", nuswidePaths()}
	var hashnet, asl strings.Builder
	asl.WriteString("filepath,label,split_name\nimages/other.jpg,\"['sky']\",train\n")
	for i, line := range strings.Split(strings.TrimSpace(nuswideMatrix(same)), "\r\n") {
		base := strings.ReplaceAll(nuswideDrawn[i].listed[strings.Index(nuswideDrawn[i].listed, `\`)+1:], `\`, "/")
		fmt.Fprintf(&hashnet, "./data/nuswide_81/images/%s %s\n", base, line)
		names := strings.Fields(nuswideDrawn[i].concepts)
		for k := range names {
			names[k] = "'" + names[k] + "'"
		}
		fmt.Fprintf(&asl, "images/%s,\"[%s]\",val\n", base, strings.Join(names, ", "))
	}
	flat := func(p string) string { return "images/" + filepath.Base(p) }
	return map[string]struct {
		split   string
		files   map[string]string
		picture func(string) string
	}{
		"official": {"test", with(columns("NUS-WIDE/Groundtruth/TrainTestLabels", "_Test"), lists...),
			inFlickr},
		"AllLabels, a case changed": {"test", with(columns("Groundtruth/AllLabels", ""), "ImageList/ImageList.txt",
			lists[1], "ImageList/TestImageList.txt", lists[3]), inFlickr},
		"AllLabels, all": {"all", with(columns("Groundtruth/AllLabels", ""), lists...), inFlickr},
		"TaI-DPT": {"test", with(columns("NUSWIDE/TrainTestLabels", "_Test"),
			"NUSWIDE/ImageList/TestImagelist.txt", nuswidePaths()), func(p string) string { return "NUSWIDE/Flickr/" + p }},
		"AllLabels81": {"test", with(map[string]string{"AllLabels81.txt": nuswideMatrix(same)}, lists...),
			inFlickr},
		"AllLabels81 twice, in halves": {"test",
			with(map[string]string{"Groundtruth/AllLabels81.txt": nuswideMatrix(func(f []string) []string { return slices.Concat(f, f) })}, lists...), inFlickr},
		"AllLabels81 twice, in pairs": {"test",
			with(map[string]string{"AllLabels81": nuswideMatrix(func(f []string) (out []string) {
				for _, v := range f {
					out = append(out, v, v)
				}
				return out
			})}, lists...), inFlickr},
		"ASL": {"asl-val", map[string]string{"nus_wid_data.csv": asl.String()}, flat},
		"HashNet": {"hashnet-test", map[string]string{"data/nuswide_81/test.txt": hashnet.String()},
			func(p string) string { return "data/nuswide_81/" + flat(p) }},
		"own tags, pictures by their number": {"tags-test",
			with(map[string]string{"NUS_WID_Tags/Test_Tags81.txt": nuswideMatrix(same)}, lists...),
			func(p string) string { return "image/" + p[strings.Index(p, "_")+1:] }},
	}
}

// All packagings of the same pictures give the same samples.
func TestNUSWIDEPackagings(t *testing.T) {
	for name, p := range nuswidePackagings(t) {
		t.Run(name, func(t *testing.T) {
			root := nuswideTreeOf(t, p.files, p.picture)
			for _, split := range []string{p.split, ""} {
				ds, err := Open("nuswide", Options{Root: root, Split: split})
				if split == "" && (strings.HasPrefix(p.split, "tags") || p.split == "all") {
					if p.split != "all" && (err == nil || !strings.Contains(err.Error(), "no labels of a test split")) {
						t.Errorf("split \"\" of raw tags: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if ds.Len() != nuswideCount || ds.Info().Split != p.split {
					t.Fatalf("%d pictures of split %q", ds.Len(), ds.Info().Split)
				}
				for i, want := range nuswideDrawn {
					s, err := ds.At(i)
					if err != nil {
						t.Fatal(err)
					}
					if got := tagged(nuswideConcepts, s.Tags); got != want.concepts || s.ID != stem(strings.ReplaceAll(want.listed, `\`, "/")) {
						t.Errorf("%s: %q, want %q", s.ID, got, want.concepts)
					}
				}
			}
		})
	}
}

// Counts are worked out by hand from what is removed: two of six pictures, one a placeholder, and the picture without
// concepts.
func TestNUSWIDECounts(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(nuswideMini)); err != nil {
		t.Fatal(err)
	}
	at := func(i int) string {
		return filepath.Join(root, "NUS-WIDE", "Flickr", filepath.FromSlash(strings.ReplaceAll(nuswideDrawn[i].listed, `\`, "/")))
	}
	if err := os.Remove(at(1)); err != nil {
		t.Fatal(err)
	}
	write(t, at(3), nuswidePlaceholderFile(t))
	for _, test := range []struct {
		labelledOnly  bool
		len, official int
		notes         []string
	}{
		{false, 4, 107859, []string{"1 of 6 listed pictures are not on disk and are left out", `1 are Flickr's "photo unavailable" placeholder and are left out`, "1 of the others have none of the 81 concepts and are kept"}},
		{true, 3, 0, []string{"1 of 6 listed pictures are not on disk and are left out", `1 are Flickr's "photo unavailable" placeholder and are left out`, "1 of the others have none of the 81 concepts and are left out"}},
	} {
		ds, err := Open("nuswide", Options{Root: root, LabelledOnly: test.labelledOnly})
		if err != nil {
			t.Fatal(err)
		}
		info := ds.Info()
		if ds.Len() != test.len || info.Official != test.official || info.Root != filepath.Join(root, "NUS-WIDE") {
			t.Errorf("%d pictures, official %d, in %s", ds.Len(), info.Official, info.Root)
		}
		if diff := cmp.Diff(test.notes, info.Notes); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		want := []string{at(1), at(3) + ` (Flickr's "photo unavailable" placeholder)`}
		if diff := cmp.Diff(want, ds.(*nuswide).Missing()); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
	}
}

// nuswidePlaceholderFile is a GIF as long as Flickr's.
func nuswidePlaceholderFile(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewGray(image.Rect(0, 0, 50, 37)), nil); err != nil {
		t.Fatal(err)
	}
	if b.Len() > nuswidePlaceholderBytes {
		t.Fatal(b.Len())
	}
	return append(b.Bytes(), make([]byte, nuswidePlaceholderBytes-b.Len())...)
}

// A JPEG that happens to be as long as the placeholder is a picture.
func TestNUSWIDEPlaceholder(t *testing.T) {
	dir := t.TempDir()
	gifFile := nuswidePlaceholderFile(t)
	for name, test := range map[string]struct {
		data []byte
		want nuswideState
	}{
		"gif": {gifFile, nuswidePlaceholder},
		"png": {append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, nuswidePlaceholderBytes-8)...),
			nuswidePlaceholder},
		"jpeg":           {append([]byte("\xff\xd8\xff"), make([]byte, nuswidePlaceholderBytes-3)...), nuswidePresent},
		"a byte shorter": {gifFile[:nuswidePlaceholderBytes-1], nuswidePresent},
	} {
		path := filepath.Join(dir, name)
		write(t, path, test.data)
		if got := nuswideStateOf(path); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	if got := nuswideStateOf(filepath.Join(dir, "none")); got != nuswideMissing {
		t.Errorf("no file: %d", got)
	}
}

func TestNUSWIDEErrors(t *testing.T) {
	lists := map[string]string{"ImageList/Imagelist.txt": nuswidePaths(), "ImageList/TestImagelist.txt": nuswidePaths()}
	with := func(name, text string) map[string]string {
		files := map[string]string{name: text}
		for k, v := range lists {
			if _, ok := files[k]; !ok {
				files[k] = v
			}
		}
		return files
	}
	same := func(f []string) []string { return f }
	matrix := nuswideMatrix(same)
	for _, test := range []struct {
		name  string
		files map[string]string
		split string
		want  []string
	}{
		{"nothing", nil, "", []string{"no labels of a test split in any of", "NExTplusplus/NUS-WIDE",
			"Labels_<concept>_Test.txt"}},
		{"lists only", lists, "test", []string{`split "test": not in this tree: no Labels_airport.txt, Labels_airport_Test.txt or AllLabels81.txt`}},
		{"unknown split", nil, "asl-vall", []string{`split "asl-vall" is not known; did you mean "asl-val"?`, "hashnet-test"}},
		{"a concept is missing", with("Groundtruth/TrainTestLabels/Labels_airport_Test.txt", nuswideColumn("airport")), "",
			[]string{"Labels_animal_Test.txt", "unpack the labels of all 81 concepts"}},
		{"short column", with("Groundtruth/TrainTestLabels/Labels_airport_Test.txt", "0\n1\n"), "",
			[]string{"Labels_airport_Test.txt: 2 lines", "TestImagelist.txt has 6"}},
		{"long column", with("Groundtruth/TrainTestLabels/Labels_airport_Test.txt", strings.Repeat("0\n", 7)), "",
			[]string{"Labels_airport_Test.txt:7: more lines than the 6"}},
		{"not a flag", with("Groundtruth/TrainTestLabels/Labels_airport_Test.txt", "0\n2\n"), "", []string{`Labels_airport_Test.txt:2: "2", want 0 or 1`}},
		{"80 columns", with("AllLabels81.txt", strings.ReplaceAll(matrix, "0 0 \r", "0 \r")), "",
			[]string{"AllLabels81.txt:1: 80 columns, want the 81"}},
		{"other columns below", with("AllLabels81.txt", matrix+strings.Repeat("0 ", 162)), "",
			[]string{"AllLabels81.txt:7: more lines"}},
		{"short matrix", with("AllLabels81.txt", matrix[:len(matrix)/2]), "", []string{"AllLabels81.txt: 3 lines"}},
		{"training and test labels",
			with("AllLabels81.txt", nuswideMatrix(func(f []string) []string { return slices.Concat(make81("0"), f) })), "",
			[]string{"162 columns", "use Groundtruth/TrainTestLabels"}},
		{"another list", with("ImageList/Imagelist.txt", strings.ReplaceAll(nuswidePaths(), "farm", "barn")), "",
			[]string{"no labels of a test split"}},
		{"pictures of another list", func() map[string]string {
			f := with("ImageList/Imagelist.txt", strings.ReplaceAll(nuswidePaths(), "farm", "barn"))
			f["AllLabels81.txt"] = matrix
			return f
		}(), "", []string{"TestImagelist.txt: picture 4, farm/0003_2230197395.jpg, is not in",
			"Imagelist.txt; the lists must be of one copy"}},
		{"21 concepts", map[string]string{"test.txt": "a.jpg" + strings.Repeat(" 0", 21)}, "",
			[]string{"test.txt:1: 21 flags: the subset of the 21 most frequent concepts"}},
		{"a test.txt of something else", map[string]string{"test.txt": "1\n2\n"}, "", []string{"no labels of a test split"}},
		{"ragged flags", map[string]string{"test.txt": "a.jpg" + strings.Repeat(" 0", 81) + "\nb.jpg 0"}, "",
			[]string{"test.txt:2: 2 columns, want a path and the 81 concepts"}},
		{"csv without columns", map[string]string{"nus_wid_data.csv": "a,b,c\n"}, "", []string{`nus_wid_data.csv:1: columns ["a" "b" "c"], want filepath, label and split_name`}},
		{"csv empty", map[string]string{"nus_wid_data.csv": ""}, "", []string{"nus_wid_data.csv:1: no header"}},
		{"csv ragged", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\nx\n"}, "",
			[]string{"nus_wid_data.csv:2: wrong number of fields"}},
		{"csv concept", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\n\nx.jpg,\"['skyy']\",val\n"}, "", []string{`nus_wid_data.csv:3: label "skyy" is not a concept; did you mean "sky"?`}},
		{"csv label", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\nx.jpg,sky,val\n"}, "", []string{`nus_wid_data.csv:2: label "sky", want a list`}},
		{"csv path", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\n..,[],val\n"}, "", []string{`nus_wid_data.csv:2: ".." is not the path of a picture`}},
		{"csv without the split", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\nx.jpg,[],train\n"}, "asl-val", []string{`no picture is of split "asl-val"`}},
		{"twice", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\na/x.jpg,[],val\nb/x.jpg,[],val\na/x.jpg,[],val\n"}, "", []string{"nus_wid_data.csv: pictures 1 and 3 are both a/x.jpg"}},
		{"no pictures", map[string]string{"nus_wid_data.csv": "filepath,label,split_name\nelsewhere/x.jpg,[],val\n"}, "",
			[]string{"none of 1 pictures looked for is below", filepath.FromSlash("Flickr/elsewhere/x.jpg")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := nuswideTreeOf(t, test.files, inFlickr)
			if test.name == "twice" {
				for _, p := range []string{"a/x.jpg", "b/x.jpg"} {
					write(t, filepath.Join(root, filepath.FromSlash(p)), nil)
				}
			}
			_, err := Open("nuswide", Options{Root: root, Split: test.split})
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
	if _, err := Open("nuswide", Options{}); err == nil || !strings.Contains(err.Error(), "no data directory is given") {
		t.Errorf("no root: %v", err)
	}
}

func make81(v string) []string {
	return slices.Repeat([]string{v}, 81)
}

// Paths of lists are one machine's; what is left of them stays below the folder of pictures.
func TestNUSPath(t *testing.T) {
	for listed, want := range map[string]string{
		`actor\0001_2124494179.jpg`:                     "actor/0001_2124494179.jpg",
		`C:\ImageData\Flickr\actor\0001_2124494179.jpg`: "C:/ImageData/Flickr/actor/0001_2124494179.jpg",
		"./data/nuswide_81/images/1_2_3_m.jpg":          "data/nuswide_81/images/1_2_3_m.jpg",
		"/home/x/y.jpg":                                 "home/x/y.jpg",
		"../../etc/passwd":                              "etc/passwd",
		"":                                              "",
		"..":                                            "",
		"a/.hidden":                                     "",
		"a\x00/b.jpg":                                   "",
	} {
		got, err := nuswidePath(listed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", listed, got, err, want)
		}
	}
	for p, want := range map[string]string{"actor/0001_2124494179.jpg": "2124494179.jpg",
		"8228_2275882321_a4bf6754ba_m.jpg": "2275882321.jpg", "x/123.jpg": "123.jpg", "x/_": "_", "x/a_.._b": "a_.._b"} {
		if got := nuswideFlickrName(p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}

// A picture that is in two folders counts twice, as in the official lists, under two ids.
func TestNUSIDs(t *testing.T) {
	got, err := nuswideList{paths: []string{"sky/0001_5.jpg", "sea/0001_5.jpg"}}.ids()
	if diff := cmp.Diff([]string{"0001_5", "sea_0001_5"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// FuzzNUSLists: whatever the text, no panic; each picture has tags, and its path stays below the folder of pictures.
func FuzzNUSLists(f *testing.F) {
	f.Add([]byte("filepath,label,split_name\nimages/1_2.jpg,\"['clouds', 'sky']\",val\n"), uint8(0))
	f.Add([]byte("a\\1_2.jpg"+strings.Repeat(" 1", 81)+"\r\n"), uint8(1))
	f.Add([]byte(strings.Repeat("0 1 ", 81)), uint8(2))
	f.Add([]byte("a\\_.._b\r\n_"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		var l nuswideList
		var err error
		switch from := bytes.NewReader(data); kind % 4 {
		case 0:
			err = l.addCSV(from, "val")
		case 1:
			err = scanNUSLines(from, "x", l.addFlags)
		case 2:
			l.paths = []string{"a", "b"}
			rows := nuswideRows{list: l, halves: true, pairs: true}
			if err = scanNUSLines(from, "x", rows.add); err == nil {
				l.tags, err = rows.tags()
			}
		case 3:
			err = scanNUSLines(from, "x", l.addPath)
			l.tags = make([]nuswideTags, len(l.paths))
		}
		if err != nil {
			return
		}
		if len(l.tags) != len(l.paths) {
			t.Fatalf("%d tags for %d pictures", len(l.tags), len(l.paths))
		}
		for i, p := range l.paths {
			for _, form := range nuswideForms {
				if !filepath.IsLocal(filepath.FromSlash(form(p))) {
					t.Fatalf("path %q", p)
				}
			}
			if len(l.tags[i].list()) != 81 {
				t.Fatal("not 81 tags")
			}
		}
		if ids, err := l.ids(); err == nil && len(ids) != len(l.paths) {
			t.Fatalf("%d ids for %d pictures", len(ids), len(l.paths))
		}
	})
}

// HashNet's list and the official tree derived from its first 20 rows agree. 120 of the first 500 have no concept
// (counted with awk in hashnet_test_first500.txt).
func TestRealNUSWIDE(t *testing.T) {
	dir := filepath.Join(Shared(t), "samples", "nuswide")
	root := t.TempDir()
	data, err := os.ReadFile(filepath.Join(dir, "hashnet_test_first500.txt"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "test.txt"), data)
	hashnet, err := newNUSTree(root).flags("test.txt")
	if err != nil {
		t.Fatal(err)
	}
	empty := 0
	for _, tags := range hashnet.tags {
		if tags == (nuswideTags{}) {
			empty++
		}
	}
	if len(hashnet.paths) != 500 || empty != 120 {
		t.Errorf("%d pictures, %d without concepts, want 500 and 120", len(hashnet.paths), empty)
	}
	official, err := newNUSTree(filepath.Join(dir, "derived_tree")).official("Test")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(hashnet.tags[:20], official.tags); diff != "" {
		t.Errorf("tags (-HashNet +official):\n%s", diff)
	}
	for i, p := range official.paths {
		if stem(p) != stem(hashnet.paths[i]) {
			t.Errorf("picture %d: %s and %s", i, p, hashnet.paths[i])
		}
	}
	lines, err := files.Lines(filepath.Join(dir, "Concepts81.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.DeleteFunc(lines, func(s string) bool { return s == "" }), nuswideConcepts); diff != "" {
		t.Errorf("concepts (-official +ours):\n%s", diff)
	}
}
