# Completion of trivium for bash: trivium completion bash > /etc/bash_completion.d/trivium
_trivium() {
	local line word cur=${COMP_WORDS[COMP_CWORD]} keep
	# Bash takes : and = for ends of words; what stands before the last of them in the word stays as it is.
	keep=${COMP_LINE:0:COMP_POINT}
	keep=${keep##*[[:space:]\'\"]}
	if [[ $keep == *[:=]* ]]; then keep=${keep%"${keep##*[:=]}"}; else keep=; fi
	COMPREPLY=()
	while IFS=$'\t' read -r word _; do
		case $word in
		:files) compopt -o default ;;
		:dirs) compopt -o dirnames ;;
		*) COMPREPLY+=("$(printf %q "${word#"$keep"}")") ;;
		esac
	done < <("${COMP_WORDS[0]}" complete --line "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	return 0
}
complete -F _trivium trivium
