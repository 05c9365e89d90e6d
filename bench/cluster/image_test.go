package cluster

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is one of a Dockerfile: its lines are joined, comments are left out.
type instruction struct{ name, args string }

func instructions(text string) (out []instruction) {
	joined := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		more := strings.HasSuffix(line, `\`)
		joined += strings.TrimSuffix(line, `\`)
		if more {
			continue
		}
		name, args, _ := strings.Cut(strings.TrimSpace(joined), " ")
		out, joined = append(out, instruction{strings.ToUpper(name), strings.TrimSpace(args)}), ""
	}
	return out
}

// checkDockerfile is what can be seen of a Dockerfile in the sources at root, without a container engine: stages and
// files that it copies exist, make has its targets, and what one RUN leaves for a later COPY is of that name.
func checkDockerfile(text, root string) (faults []string) {
	fault := func(words ...string) { faults = append(faults, strings.Join(words, " ")) }
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		fault(err.Error())
	}
	runs := map[string]string{} // by stage, what its commands are
	stage := ""
	copied := []string{} // from the sources, into the stage
	for i, in := range instructions(text) {
		words := strings.Fields(in.args)
		if len(words) == 0 || i == 0 && in.name != "FROM" {
			fault(in.name, in.args, "stands at the wrong place or says nothing")
			continue
		}
		switch in.name {
		case "FROM":
			if stage = words[0]; len(words) == 3 && strings.EqualFold(words[1], "AS") {
				stage = words[2]
			} else if len(words) != 1 {
				fault("FROM", in.args, "is not understood")
			}
			runs[stage], copied = "", nil
		case "RUN":
			runs[stage] += " && " + in.args
			for command := range strings.SplitSeq(in.args, "&&") {
				switch call := strings.Fields(command); {
				case call[0] == "make":
					for _, target := range call[1:] {
						if !strings.Contains(target, "=") && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(target)+`:`).Match(makefile) {
							fault("make has no target", target)
						}
					}
				case call[0] == "cp" && len(call) > 2 && !strings.Contains(command, "$("):
					for _, f := range call[1 : len(call)-1] {
						_, err := os.Stat(filepath.Join(root, f))
						if err != nil && f != "bin/ovbench" || !slices.Contains(copied, ".") { // make builds that one
							fault("nothing is at", f)
						}
					}
				}
			}
		case "COPY", "ADD":
			from := ""
			for strings.HasPrefix(words[0], "--") && len(words) > 1 {
				if f, ok := strings.CutPrefix(words[0], "--from="); ok {
					from = f
				}
				words = words[1:]
			}
			for _, source := range words[:len(words)-1] {
				made, known := runs[from]
				_, err := os.Stat(filepath.Join(root, source))
				switch {
				case from == "" && err != nil:
					fault(in.name, source+":", err.Error())
				case from == "":
					copied = append(copied, source)
				case !known:
					fault(in.name, "from", from+", which is no stage")
				case !strings.Contains(made, strings.TrimSuffix(filepath.Base(source), "*")) ||
					!strings.Contains(made, filepath.Dir(source)+"/"):
					fault("stage", from, "does not make", source)
				}
			}
		case "WORKDIR", "ENV", "ENTRYPOINT", "CMD", "LABEL", "ARG", "USER":
		default:
			fault(in.name, "is no instruction")
		}
	}
	return faults
}

// The Dockerfile copies what there is, and starts what the manifests call.
func TestDockerfile(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, f := range checkDockerfile(text, root) {
		t.Error(f)
	}
	all := instructions(text)
	if last := all[len(all)-1]; last != (instruction{"ENTRYPOINT", `["ovbench"]`}) {
		t.Errorf("the manifests give arguments alone, so the image must start ovbench; it ends with %v", last)
	}
	for _, change := range [][2]string{
		{"FROM golang", "FORM golang"}, {"AS build", "IS build"}, {"--from=build", "--from=built"},
		{"make setup", "make set-up"},
		{"COPY . .", "COPY sources ."}, {"COPY . .", "COPY go.mod ."}, {" LICENSE ", " LICENCE "},
		{"/image/ovbench ", "/image/ovbenhc "}, {"/image/LICENSE ", "/images/LICENSE "}, {"WORKDIR", "WORKDRI"},
		{"RUN make", "RNU make"}, {"libonnxruntime.so.* /", "libonnx.so.* /"},
	} {
		broken := strings.Replace(text, change[0], change[1], 1)
		if broken == text || len(checkDockerfile(broken, root)) == 0 {
			t.Errorf("no fault is found with %q for %q", change[1], change[0])
		}
	}
}

// The image is built by the engine that OVBENCH_IMAGE names, docker or buildah, and runs a suite without a network.
func TestImage(t *testing.T) {
	engine := os.Getenv("OVBENCH_IMAGE")
	if engine == "" {
		t.Skip("set OVBENCH_IMAGE to docker or buildah to build the container; it takes network, and minutes")
	}
	name := "localhost/ovbench-test"
	build := []string{"docker", "build", "-t", name, "--build-arg", "VERSION=v9", "."}
	run := []string{"docker", "run", "--rm", "--network=none", name}
	if engine == "buildah" {
		isolation := "--isolation=" + cmp.Or(os.Getenv("BUILDAH_ISOLATION"), "chroot")
		build = []string{"buildah", "build", isolation, "--network=host", "--pull=false", "-t", name, "--build-arg",
			"VERSION=v9", "."}
		run = []string{"sh", "-c", `c=$(buildah from --pull=never ` + name + `) && trap 'buildah rm "$c" >/dev/null' EXIT &&
			unshare --net buildah run ` + isolation + ` "$c" -- ovbench "$@"`, "sh"}
	}
	for _, step := range []struct {
		command []string
		says    string
	}{
		{build, ""},
		{append(slices.Clone(run), "--version"), "ovbench version v9"},
		{append(slices.Clone(run), "run", "micro", "--out", "/out/micro"), "clip_surgery"},
	} {
		c := exec.CommandContext(t.Context(), step.command[0], step.command[1:]...)
		c.Dir = filepath.Join("..", "..")
		if said, err := c.CombinedOutput(); err != nil || !strings.Contains(string(said), step.says) {
			t.Fatalf("%v: %v, want %q in\n%s", step.command, err, step.says, said)
		}
	}
}
