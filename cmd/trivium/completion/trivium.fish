# Completion of trivium for fish: trivium completion fish > ~/.config/fish/completions/trivium.fish
function __trivium_complete
	set -l words (commandline -opc)
	for word in ($words[1] complete -- $words (commandline -ct) 2>/dev/null)
		switch $word
			case :files
				__fish_complete_path (commandline -ct)
			case :dirs
				__fish_complete_directories (commandline -ct)
			case '*'
				echo $word
		end
	end
end
complete -c trivium -f -a '(__trivium_complete)'
