# published are the modules that users install: their folders, and what the names of their tags begin with.
published=(.:"" sandbox:sandbox/ sharedtoken:sharedtoken/)

# outsider REPOSITORY FOLDER makes the go command of this shell find a repository under the name that users know, through
# git and without go.work, with a module cache in FOLDER that has none of our modules.
outsider() {
	export GOWORK=off GOFLAGS=-modcacherw GONOSUMDB=github.com/moneykit/* GONOPROXY=github.com/moneykit/*
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$1.insteadOf" GIT_CONFIG_VALUE_0=https://github.com/moneykit/moneykit-go
	GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
	export GOPROXY GOMODCACHE=$2/modules
}
