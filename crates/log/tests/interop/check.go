// Checks a log with Go's sumdb note and tlog, which share no code with what wrote it.
//
//	check log DIR VERIFIER [PROOF...]   checkpoint, every entry, tiles, proofs between sizes, and proof files
//	check note FILE VERIFIER            one signed note
//
// Debian: golang-go golang-golang-x-mod-dev; GO111MODULE=off GOPATH=/usr/share/gocode go build check.go
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error, what ...interface{}) {
	if err != nil {
		fmt.Fprintln(os.Stderr, append(append([]interface{}{"REFUSED:"}, what...), err)...)
		os.Exit(1)
	}
}

func open(text []byte, key string) *note.Note {
	verifier, err := note.NewVerifier(key)
	must(err, "key")
	n, err := note.Open(text, note.VerifierList(verifier))
	must(err, "note")
	return n
}

func checkpoint(text []byte, key string) (int64, tlog.Hash) {
	lines := strings.Split(open(text, key).Text, "\n")
	if len(lines) < 4 {
		must(fmt.Errorf("too short"), "checkpoint")
	}
	if name := strings.SplitN(key, "+", 2)[0]; lines[0] != name {
		must(fmt.Errorf("origin %q, key %q", lines[0], name), "checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err, "size")
	root, err := tlog.ParseHash(lines[2])
	must(err, "root")
	return size, root
}

// Directory of tiles at height 8; the C2SP names leave the height out.
type tiles string

func (d tiles) Height() int                      { return 8 }
func (d tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (d tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range list {
		data, err := d.read("tile/"+strings.TrimPrefix(t.Path(), "tile/8/"), t.W*tlog.HashSize)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// read gives a partial file, or the beginning of the full one that replaced it.
func (d tiles) read(path string, bytesWanted int) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), path))
	if cut := strings.Index(path, ".p/"); err != nil && cut >= 0 {
		data, err = os.ReadFile(filepath.Join(string(d), path[:cut]))
	}
	if err == nil && bytesWanted >= 0 {
		if len(data) < bytesWanted {
			return nil, fmt.Errorf("%s is short", path)
		}
		data = data[:bytesWanted]
	}
	return data, err
}

func (d tiles) entries(size int64) [][]byte {
	var out [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := 256
		if left := size - n*256; left < 256 {
			width = int(left)
		}
		path := tlog.Tile{H: 8, L: 0, N: n, W: width}.Path()
		data, err := d.read("tile/entries/"+strings.TrimPrefix(path, "tile/8/0/"), -1)
		must(err, "bundle")
		for k := 0; k < width; k++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				must(fmt.Errorf("bundle %d is short", n), "bundle")
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			out = append(out, data[2:end])
			data = data[end:]
		}
	}
	return out
}

func checkLog(dir, key string, proofs []string) {
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	must(err, "checkpoint")
	size, root := checkpoint(text, key)
	entries := tiles(dir).entries(size)

	// The root from the entries alone.
	var stored []tlog.Hash
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, k := range indexes {
			out = append(out, stored[k])
		}
		return out, nil
	})
	for k, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(k), entry, memory)
		must(err, "hashing")
		stored = append(stored, hashes...)
	}
	rebuilt, err := tlog.TreeHash(size, memory)
	must(err, "rebuilding")
	if rebuilt != root {
		must(fmt.Errorf("entries give %v, signed is %v", rebuilt, root), "root")
	}

	// Proofs from the tiles, which this reader authenticates against the root.
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles(dir))
	step := size/2000 + 1
	for k := int64(0); k < size; k += step {
		proof, err := tlog.ProveRecord(size, k, reader)
		must(err, "proving record", k)
		must(tlog.CheckRecord(proof, size, root, k, tlog.RecordHash(entries[k])), "record", k)
		past, err := tlog.TreeHash(k+1, memory)
		must(err, "past root", k+1)
		between, err := tlog.ProveTree(size, k+1, reader)
		must(err, "proving tree", k+1)
		must(tlog.CheckTree(between, size, root, k+1, past), "tree", k+1)
	}
	for _, file := range proofs {
		checkProof(file, key, entries)
	}
	fmt.Printf("accepted %d entries, root %v\n", size, root)
}

func checkProof(file, key string, entries [][]byte) {
	text, err := os.ReadFile(file)
	must(err, "proof")
	parts := bytes.SplitN(text, []byte("\n\n"), 2)
	lines := strings.Split(string(parts[0]), "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		must(fmt.Errorf("not a proof file"), file)
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	must(err, "index")
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		must(err, "proof hash")
		proof = append(proof, hash)
	}
	size, root := checkpoint(parts[1], key)
	must(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entries[index])), file)
}

func main() {
	switch {
	case len(os.Args) >= 4 && os.Args[1] == "log":
		checkLog(os.Args[2], os.Args[3], os.Args[4:])
	case len(os.Args) == 4 && os.Args[1] == "note":
		text, err := os.ReadFile(os.Args[2])
		must(err, "file")
		open(text, os.Args[3])
		fmt.Println("accepted note")
	default:
		fmt.Fprintln(os.Stderr, "usage: check log DIR VERIFIER [PROOF...] | check note FILE VERIFIER")
		os.Exit(2)
	}
}
