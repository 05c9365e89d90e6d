package datasets

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// FolderOptions describe pictures and label maps of one's own, for the data set folder. The zero value, for which nil
// stands, is what folderLayout says. Paths are relative to Options.Root.
type FolderOptions struct {
	Images, Labels string // folders; "" is images, labels

	// Classes is a file with one line per class in the order of label values, in the format of [QueriesOf]: the first
	// query of a line is the name of the class. "" is classes.txt.
	Classes string

	// List is a file with one id per line, as the lists of VOC. "" is <split>.txt if a split is asked for, else all
	// pictures, in alphabetical order.
	List string

	// What follows the id in file names, such as _rgb.png. "" is .jpg, .jpeg or .png of pictures and .png of label
	// maps.
	ImageSuffix, LabelSuffix string

	// labelmap.Ignore is the stored value that is not scored. 0 stands for 65535 and, unless a class has it, 255.
	Ignore     int
	ReduceZero bool // stored 0 is not scored, stored k is class k-1
	Background bool // class 0 is "everything else"
}

const folderLayout = `<data>/
  images/<id>.jpg, .jpeg, .png, .tif or .webp, also in folders below
  labels/<id>.png (8-bit or 16-bit, grey or palette; values are lines of classes.txt, from 0; 255 is not scored)
  classes.txt (one class per line)
  labelmap.txt or class_dict.csv (only for label maps in colours: name and red, green, blue of each class)`

// folderClasses is the most classes that fit beside the values of void.
const folderClasses = 60000

// folder adds the words of its list of classes.
type folder struct {
	*onDisk
	queries [][]string
	colours labelmap.Colours // of stored values; nil without a table
	options FolderOptions
}

func openFolder(o Options) (Dataset, error) {
	info := Info{Name: "folder", Title: "Pictures and label maps of one's own", Root: o.Root,
		Homepage: "a folder of one's own", Layout: folderLayout}
	asked := o.Split
	if err := o.begin(&info, "all", "images and labels"); err != nil {
		return nil, err
	}
	d := &folder{onDisk: &onDisk{info: info, orientation: o.Orientation}}
	if o.Folder != nil {
		d.options = *o.Folder
	}
	d.info.Background = d.options.Background
	if err := d.readClasses(); err != nil {
		return nil, err
	}
	if err := d.readColours(); err != nil {
		return nil, err
	}
	imageDir, labelDir := d.path(d.options.Images, "images"), d.path(d.options.Labels, "labels")
	if list := d.path("", asked+".txt"); asked != "" && d.options.List == "" {
		d.options.List = asked + ".txt"
		if images := filepath.Join(imageDir, asked); !exists(list) &&
			isDir(images) { // images/<split> beside labels/<split>
			d.options.List, imageDir, labelDir = "", images, filepath.Join(labelDir, asked)
		}
	}
	if err := d.pair(imageDir, labelDir); err != nil {
		return nil, err
	}
	d.truth = labelTruth(d.read, d.apply)
	d.info.ListSHA256 = listSHA256(d.ids)
	return d, nil
}

// path is the place of an option or, if that is empty, of standard.
func (d *folder) path(option, standard string) string {
	if option == "" {
		option = standard
	}
	if filepath.IsAbs(option) {
		return option
	}
	return filepath.Join(d.info.Root, option)
}

func (d *folder) readClasses() error {
	name := d.path(d.options.Classes, "classes.txt")
	list, err := readClassList(name, d.first())
	if errors.Is(err, os.ErrNotExist) {
		return folderMissing("list of classes", err)
	}
	if err != nil {
		return err
	}
	d.queries, d.colours, d.info.Notes = list.queries, list.colours, list.notes
	if n := len(d.queries); n == 0 || n > folderClasses {
		return fmt.Errorf("%s: %d classes, want 1 to %d, one per line", name, n, folderClasses)
	}
	d.info.Classes = firstQueries(d.queries)
	seen := make(map[string]int)
	for i, c := range d.info.Classes {
		if first, ok := seen[c]; ok {
			return fmt.Errorf("%s: classes %d and %d are both called %q; give each its own name", name, first, i, c)
		}
		seen[c] = i
	}
	if v := d.options.Ignore; v < 0 || v > math.MaxUint16 {
		return fmt.Errorf("ignore %d: want a stored value, 1 to %d, or 0 for the usual", v, math.MaxUint16)
	}
	if v := d.options.Ignore; v != 0 && v < d.end() {
		return fmt.Errorf("ignore %d is the stored value of class %q; take it from %s or ignore another value", v,
			d.info.Classes[v-d.first()], name)
	}
	return nil
}

// folderMissing is the error of a part of the folder, with what a folder must be where it is not there.
func folderMissing(what string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w; the folder must be\n%s\nor a suite must name what it has instead: "+
			"ovbench init FOLDER writes one", what, err, folderLayout)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// first and end bound the stored values of classes.
func (d *folder) first() int {
	if d.options.ReduceZero {
		return 1
	}
	return 0
}

func (d *folder) end() int { return d.first() + len(d.info.Classes) }

// pair finds the picture and the label map of every id, in the folders and below them.
func (d *folder) pair(imageDir, labelDir string) error {
	images, otherImages, err := folderFiles(imageDir, labelDir, folderSuffixes(d.options.ImageSuffix,
		picture.Endings...))
	if err != nil {
		return folderMissing("pictures", err)
	}
	labels, otherLabels, err := folderFiles(labelDir, imageDir, folderSuffixes(d.options.LabelSuffix, folderLabels...))
	if err != nil {
		return folderMissing("label maps", err)
	}
	switch {
	case len(images) == 0:
		return fmt.Errorf("%s: no picture; pictures end in %s unless their suffix is named%s", imageDir,
			strings.Join(picture.Endings, ", "), thereAre(otherImages))
	case len(labels) == 0:
		return fmt.Errorf("%s: no label map; label maps end in %s unless their suffix is named%s", labelDir,
			strings.Join(folderLabels, ", "), thereAre(otherLabels))
	}
	if d.options.List == "" {
		d.ids = slices.Sorted(maps.Keys(images))
		err = folderUnpaired(imageDir, labelDir, images, labels)
	} else if d.ids, err = readNames(d.path(d.options.List, ""), images); err == nil {
		err = d.unlisted(imageDir, labelDir, images, labels)
	}
	if err != nil {
		return err
	}
	d.note(imageDir, otherImages)
	if labelDir != imageDir {
		d.note(labelDir, otherLabels)
	}
	d.files = func(i int) (string, string) {
		return filepath.Join(imageDir, images[d.ids[i]]), filepath.Join(labelDir, labels[d.ids[i]])
	}
	return nil
}

// folderLabels are the endings of label maps, in any case.
var folderLabels = []string{".png", ".tif", ".tiff"}

// folderFiles maps ids to files below dir, and lists the other files. What lies in the folder beside, or below it,
// counts only there.
func folderFiles(dir, beside string, suffixes []string) (found map[string]string, rest []string, err error) {
	names, err := files.Tree(dir)
	if err != nil {
		return nil, nil, err
	}
	if rel, err := filepath.Rel(dir, beside); err == nil && filepath.IsLocal(rel) && rel != "." {
		below := filepath.ToSlash(rel) + "/"
		names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, below) })
	}
	return byID(dir, names, suffixes)
}

// thereAre is "; there are 2 other files, such as a.bmp", or nothing.
func thereAre(names []string) string {
	if len(names) == 0 {
		return ""
	}
	text := fmt.Sprintf("; there are %d other files, such as %s", len(names), names[0])
	if _, lossy := cutSuffix(names[0], []string{".jpg", ".jpeg",
		".webp"}); lossy { // of label maps alone: pictures may be those
		text += ", whose compression changes class numbers at outlines: export the label maps as PNG"
	}
	return text
}

// note says which files of a folder are left out.
func (d *folder) note(dir string, names []string) {
	if len(names) > 0 {
		d.info.Notes = append(d.info.Notes, fmt.Sprintf("%d files left out, the first is %s; its ending is none of "+
			"those that are read",
			len(names), filepath.Join(dir, names[0])))
	}
}

// unlisted explains ids of the list without a picture or a label map.
func (d *folder) unlisted(imageDir, labelDir string, images, labels map[string]string) error {
	lacking := func(in map[string]string) (out []string) {
		for _, id := range d.ids {
			if in[id] == "" {
				out = append(out, id)
			}
		}
		return out
	}
	noImage, noLabel := lacking(images), lacking(labels)
	if len(noImage)+len(noLabel) == 0 {
		return nil
	}
	return fmt.Errorf("of the ids in %s, %s no picture in %s, %s no label map in %s; mend the list or name the "+
		"suffixes of files",
		d.path(d.options.List, ""), folderHave(noImage), imageDir, folderHave(noLabel), labelDir)
}

// folderUnpaired explains pictures without label maps and the other way round.
func folderUnpaired(imageDir, labelDir string, images, labels map[string]string) error {
	missing := func(from, in map[string]string) (out []string) {
		for _, id := range slices.Sorted(maps.Keys(from)) {
			if in[id] == "" {
				out = append(out, id)
			}
		}
		return out
	}
	noLabel, noImage := missing(images, labels), missing(labels, images)
	switch {
	case len(noLabel) == len(images):
		return fmt.Errorf("no picture in %s has a label map in %s: pictures are called such as %q, label maps such "+
			"as %q; name what follows the id in each, the "+
			"suffixes", imageDir, labelDir, images[noLabel[0]], labels[noImage[0]])
	case len(noLabel)+len(noImage) > 0:
		return fmt.Errorf("of the pictures in %s, %s no label map; of the label maps in %s, %s no picture; complete "+
			"the pairs, or list the ids to measure", imageDir, folderHave(noLabel), labelDir, folderHave(noImage))
	}
	return nil
}

// folderHave is "3 (a, b, c) have", with the first few of names.
func folderHave(names []string) string {
	switch n := len(names); {
	case n == 0:
		return "0 have"
	case n == 1:
		return "1 (" + names[0] + ") has"
	case n <= maxExamples:
		return fmt.Sprintf("%d (%s) have", n, strings.Join(names, ", "))
	default:
		return fmt.Sprintf("%d (%s, …) have", n, strings.Join(names[:maxExamples], ", "))
	}
}

// folderSuffixes is the one that was asked for, else the usual ones.
func folderSuffixes(own string, usual ...string) []string {
	if own != "" {
		return []string{own}
	}
	return usual
}

// read reads the numbers of a label map, or its colours where a table says what they mean.
func (d *folder) read(path string) (labelmap.Map, error) {
	if d.colours != nil {
		l, err := labelmap.ReadColours(path, d.colours)
		if !errors.Is(err, labelmap.ErrNoColours) {
			return l, err
		}
	}
	return labelmap.Read(path)
}

// plainQueries are the words of the list of classes.
func (d *folder) plainQueries() [][]string {
	out := make([][]string, len(d.queries))
	for i, q := range d.queries {
		out[i] = slices.Clone(q)
	}
	return out
}

// apply maps stored values to classes, in place.
func (d *folder) apply(l labelmap.Map) error {
	first, end, ignore := d.first(), d.end(), d.options.Ignore
	allowed := func() string {
		return fmt.Sprintf("the %d classes as %d..%d; not scored is %s", end-first, first, end-1, d.ignored())
	}
	err := l.Replace(allowed, func(stored uint16) uint16 {
		switch v := int(stored); {
		case v >= first && v < end:
			return uint16(v - first)
		case v < first, ignore != 0 && v == ignore, ignore == 0 && (v == 255 || v == math.MaxUint16):
			return labelmap.Ignore
		}
		return labelmap.Stray
	})
	var strays *labelmap.Strays
	switch {
	case err == nil:
		return nil
	case errors.As(err, &strays) && len(strays.Pixels) == 1 && int(strays.First) == end && !d.options.ReduceZero:
		return fmt.Errorf("%w; if the label maps count classes from 1, say reduce_zero_label: true, else add a "+
			"class to the list", err)
	}
	return fmt.Errorf("%w; add classes to the list, or say which value to ignore", err)
}

// ignored lists the stored values that are not scored.
func (d *folder) ignored() string {
	var values []string
	if d.options.ReduceZero {
		values = append(values, "0")
	}
	switch {
	case d.options.Ignore != 0:
		values = append(values, fmt.Sprint(d.options.Ignore))
	case d.end() <= 255:
		values = append(values, "255", "65535")
	default:
		values = append(values, "65535")
	}
	return strings.Join(values, ", ")
}
