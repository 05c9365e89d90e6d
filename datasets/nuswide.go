package datasets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// NUS-WIDE with 81 concepts: Chua et al., "NUS-WIDE: A Real-World Web Image Database from National University of
// Singapore", CIVR 2009. 269,648 pictures of Flickr, of which many can no longer be had.
//
// Papers use several selections under this one name, so a split here names the list it comes from: the official test,
// train and all; asl-val and asl-train of nus_wid_data.csv (ASL, Query2Label, ML-Decoder); hashnet-test, -train and
// -database; tags-test, -train and -all, whose labels are not the checked ones but the uploaders' own tags.

const (
	nuswideHomepage = "https://github.com/NExTplusplus/NUS-WIDE (labels and lists; pictures on request from its authors)"
	nuswideLayout   = `NUS-WIDE/
  ImageList/TestImagelist.txt (and TrainImagelist.txt, Imagelist.txt)
  Groundtruth/TrainTestLabels/Labels_<concept>_Test.txt (or AllLabels/Labels_<concept>.txt, or AllLabels81.txt)
  Flickr/<folder>/<number>_<id>.jpg (or images/)
or one of: nus_wid_data.csv; HashNet's test.txt of a path and 81 flags a line; NUS_WID_Tags/Test_Tags81.txt beside ImageList`
)

// nuswideConcepts are in the order of Concepts81.txt, which is that of all files with 81 columns.
var nuswideConcepts = strings.Fields(`airport animal beach bear birds boats book bridge buildings cars castle cat cityscape
	clouds computer coral cow dancing dog earthquake elk fire fish flags flowers food fox frost garden glacier grass harbor
	horses house lake leaf map military moon mountain nighttime ocean person plane plants police protest railroad rainbow
	reflection road rocks running sand sign sky snow soccer sports statue street sun sunset surf swimmers tattoo temple
	tiger tower town toy train tree valley vehicle water waterfall wedding whales window zebra`)

// nuswideDirs are the names of the folder.
var nuswideDirs = []string{"NUS-WIDE", "NUSWIDE", "NUS_WIDE", "nuswide", "nus_wide", "nus-wide", "nuswide_81",
	"data/nuswide_81", "nuswide_asl"}

// A nuswideSplit is a selection of pictures and the source of its labels.
type nuswideSplit struct {
	name     string
	official int // images in it, 0 if that is not known
	read     func(nuswideTree) (nuswideList, error)
}

// nuswideSplits are in the order of preference for Options.Split "", which never takes training pictures or raw tags.
var nuswideSplits = []nuswideSplit{
	{"test", 107859, func(t nuswideTree) (nuswideList, error) { return t.official("Test") }},
	{"asl-val", 0, func(t nuswideTree) (nuswideList, error) { return t.csv("val") }},
	{"hashnet-test", 0, func(t nuswideTree) (nuswideList, error) { return t.flags("test.txt") }},
	{"train", 161789, func(t nuswideTree) (nuswideList, error) { return t.official("Train") }},
	{"all", 269648, func(t nuswideTree) (nuswideList, error) { return t.official("") }},
	{"asl-train", 0, func(t nuswideTree) (nuswideList, error) { return t.csv("train") }},
	{"hashnet-train", 0, func(t nuswideTree) (nuswideList, error) { return t.flags("train.txt") }},
	{"hashnet-database", 0, func(t nuswideTree) (nuswideList, error) { return t.flags("database.txt") }},
	{"tags-test", 107859, func(t nuswideTree) (nuswideList, error) { return t.ownTags("Test") }},
	{"tags-train", 161789, func(t nuswideTree) (nuswideList, error) { return t.ownTags("Train") }},
	{"tags-all", 269648, func(t nuswideTree) (nuswideList, error) { return t.ownTags("All") }},
}

// nuswideDefaults is how many of nuswideSplits Options.Split "" may choose.
const nuswideDefaults = 3

// errNUSAbsent says that a tree has not the files of a split.
var errNUSAbsent = errors.New("not in this tree")

// nuswide adds to its pictures those that were left out.
type nuswide struct {
	*onDisk
	missing []string
}

// Missing lists the pictures left out because they are not on disk, in the order of the split.
func (d *nuswide) Missing() []string { return slices.Clone(d.missing) }

func openNUSWIDE(o Options) (Dataset, error) {
	info := Info{Name: "nuswide", Title: "NUS-WIDE, 81 concepts", Classes: nuswideConcepts, Homepage: nuswideHomepage,
		Layout: nuswideLayout}
	if o.Root == "" {
		return nil, o.begin(&info, "test", "NUS-WIDE")
	}
	tree := newNUSTree(o.Root)
	split, list, err := tree.split(o.Split)
	if err != nil {
		return nil, err
	}
	shelf, err := tree.shelf(list.paths)
	if err != nil {
		return nil, err
	}
	info.Split, info.Root = split.name, tree.top(list.name)
	if !o.LabelledOnly {
		info.Official = split.official
	}
	kept := nuswideKept{info: info}
	if err := kept.fill(list, shelf, o.LabelledOnly); err != nil {
		return nil, err
	}
	d := newOnDisk(o, kept.info, kept.ids)
	d.files = func(i int) (string, string) { return kept.paths[i], "" }
	d.truth = func(i int, s *Sample) error {
		s.Tags = kept.tags[i].list()
		return nil
	}
	return &nuswide{d, kept.missing}, nil
}

// nuswideKept are the pictures that are on disk and wanted, and the paths of those that are missing.
type nuswideKept struct {
	info       Info
	ids, paths []string
	tags       []nuswideTags
	missing    []string
}

// fill keeps the pictures that are on disk and wanted, and notes how many are not.
func (d *nuswideKept) fill(list nuswideList, shelf nuswideShelf, labelledOnly bool) error {
	ids, err := list.ids()
	if err != nil {
		return err
	}
	found := shelf.look(list.paths)
	var missing, placeholders, unlabelled int
	for i, state := range found {
		empty := list.tags[i] == nuswideTags{}
		switch {
		case state == nuswideMissing:
			missing++
			d.missing = append(d.missing, shelf.path(list.paths[i]))
		case state == nuswidePlaceholder:
			placeholders++
			d.missing = append(d.missing, shelf.path(list.paths[i])+` (Flickr's "photo unavailable" placeholder)`)
		case empty && labelledOnly:
			unlabelled++
		default:
			if empty {
				unlabelled++
			}
			d.ids, d.paths, d.tags = append(d.ids, ids[i]), append(d.paths, shelf.path(list.paths[i])),
				append(d.tags, list.tags[i])
		}
	}
	if len(d.ids) == 0 {
		return fmt.Errorf("%s: none of its %d pictures is left: %d are not on disk, %d are placeholders, %d have no label",
			list.name, len(found), missing, placeholders, unlabelled)
	}
	what := "kept"
	if labelledOnly {
		what = "left out"
	}
	d.info.Notes = append(list.notes,
		fmt.Sprintf("%d of %d listed pictures are not on disk and are left out", missing, len(found)),
		fmt.Sprintf("%d are Flickr's \"photo unavailable\" placeholder and are left out", placeholders),
		fmt.Sprintf("%d of the others have none of the 81 concepts and are %s", unlabelled, what))
	return nil
}

func nuswideHelp() string {
	return "get it from " + nuswideHomepage + "; the tree must be\n" + nuswideLayout
}
