# What a release is made of, and the files that only a host of repositories or a container engine reads.
.PHONY: api-page cross dist dist-check lint-files release release-check

RELEASE_TOOLS := .cache/bin/actionlint .cache/bin/gorelease
LINT := .cache/lint/bin

$(RELEASE_TOOLS) &: tools/release/go.mod
	cd tools/release && GOWORK=off go build -o $(CURDIR)/.cache/bin/ tool
	@touch $(RELEASE_TOOLS)

$(LINT)/hadolint: tools/lint/requirements.txt
	$(call need,python3,python3-venv)
	python3 -m venv $(@D)/..
	$(LINT)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lint-files: $(RELEASE_TOOLS) $(LINT)/hadolint ### Check the container files, workflows and issue forms
	$(LINT)/hadolint examples/container/Containerfile
	$(LINT)/check-jsonschema --builtin-schema vendor.compose-spec examples/container/compose.yaml
	$(LINT)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(LINT)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/{bug,feature}.yml
	$(LINT)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	.cache/bin/actionlint
	@! grep -rnE 'uses: ' .github/workflows | grep -vE '@[0-9a-f]{40} # v[0-9.]+$$' # pinned by digest
	@oldest=$$(sed -n 's/^go \(.*\)\.[0-9]*$$/\1.x/p' go.mod); grep -qF "go: [$$oldest, stable]" .github/workflows/ci.yml || \
		{ echo "ci.yml does not test with $$oldest, the oldest Go that go.mod accepts" >&2; exit 1; }

api-page: ### Write docs/LinkSessionApi.md from the contract and the Example functions of api
	cd test && GOWORK=off go run ./apidoc

release: .cache/bin/gorelease ### Check that HEAD can be released as VERSION; TAG=1 makes the tags
	CI_PASSED=$(CI_PASSED) TAG=$(TAG) test/release $(VERSION)

release-check: .cache/bin/gorelease ### Make releases in a copy of the repository
	test/release-check

dist: ### Build the sandbox's program for Linux, macOS and Windows into artifacts/dist
	test/dist

dist-check: ### Build it, compare one with a second build, and start it from its archive
	test/dist -check

cross: ### Vet for other systems; test the root on 386, and with encoding/json/v2 behind encoding/json
	for os in windows darwin; do echo "== $$os" && GOOS=$$os go vet $(WORKSPACE); done
	@echo "== wasip1" && GOWORK=off GOOS=wasip1 GOARCH=wasm go vet ./...
	@echo "== 386" && GOWORK=off GOARCH=386 CGO_ENABLED=0 go test ./...
	@echo "== jsonv2" && GOWORK=off GOEXPERIMENT=jsonv2 go test ./...
