// SPDX-License-Identifier: Apache-2.0

// Judges checkpoints and proofs with golang.org/x/mod/sumdb alone: reads cases from standard input, one a line, and
// prints for each "accept" or "reject" and why. A case is a word and fields in base64, with spaces between:
//
//	note VKEY NOTE
//	inclusion VKEY ENTRY PROOF
//	consistency VKEY OLD-NOTE PROOF
package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint opens a note and reads the three lines of its text that everybody needs.
func checkpoint(vkey, text string) (size int64, root tlog.Hash, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, root, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return 0, root, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return 0, root, errors.New("no checkpoint of this log")
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || size < 0 {
		return 0, root, errors.New("no size")
	}
	root, err = tlog.ParseHash(lines[2])
	return size, root, err
}

// proof splits a proof into its first number, its hashes and the note behind it.
func proof(text, header, word string) (number int64, path []tlog.Hash, rest string, err error) {
	head, rest, found := strings.Cut(text, "\n\n")
	if !found || !strings.HasPrefix(head, header+word+" ") {
		return 0, nil, "", errors.New("no proof")
	}
	lines := strings.Split(strings.TrimPrefix(head, header), "\n")
	if number, err = strconv.ParseInt(strings.TrimPrefix(lines[0], word+" "), 10, 64); err != nil {
		return 0, nil, "", err
	}
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		path = append(path, hash)
	}
	return number, path, rest, nil
}

func judge(kind string, fields []string) error {
	switch kind {
	case "note":
		_, _, err := checkpoint(fields[0], fields[1])
		return err
	case "inclusion":
		index, path, rest, err := proof(fields[2], "c2sp.org/tlog-proof@v1\n", "index")
		if err != nil {
			return err
		}
		size, root, err := checkpoint(fields[0], rest)
		if err != nil {
			return err
		}
		return tlog.CheckRecord(path, size, root, index, tlog.RecordHash([]byte(fields[1])))
	case "consistency":
		number, path, rest, err := proof(fields[2], "", "old")
		if err != nil {
			return err
		}
		old, before, err := checkpoint(fields[0], fields[1])
		if err != nil {
			return err
		}
		size, root, err := checkpoint(fields[0], rest)
		if err != nil {
			return err
		}
		if number != old {
			return errors.New("another old size")
		}
		return tlog.CheckTree(path, size, root, old, before)
	}
	return errors.New("no such kind of case")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		fields := make([]string, 0, len(words))
		for _, word := range words[1:] {
			field, err := base64.StdEncoding.DecodeString(word)
			if err != nil {
				panic(err)
			}
			fields = append(fields, string(field))
		}
		if err := judge(words[0], fields); err != nil {
			fmt.Fprintf(out, "reject %q\n", err.Error())
		} else {
			fmt.Fprintln(out, "accept")
		}
	}
}
