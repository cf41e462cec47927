#compdef trivium
# Completion of trivium for zsh: trivium completion zsh > a file _trivium in a directory of $fpath
_trivium() {
	local word text
	local -a plain open
	while IFS=$'\t' read -r word text; do
		case $word in
		:files) _files ;;
		:dirs) _files -/ ;;
		*=) open+=("$word") ;;
		*) plain+=("${word//:/\\:}:$text") ;;
		esac
	done < <(${words[1]} complete -- "${(@Q)words[1,CURRENT]}" 2>/dev/null)
	(( $#open )) && compadd -S '' -- $open
	(( $#plain )) && _describe -V trivium plain
}
if [ "$funcstack[1]" = "_trivium" ]; then _trivium "$@"; else compdef _trivium trivium; fi
